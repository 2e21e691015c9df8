"""Operations of sign-in by other providers and by device code."""

from typing import Final

from towline.contract.device import Device, DeviceAnswer, DeviceCode, DeviceDecision, DeviceQuestion, DeviceStart
from towline.contract.identities import (
    IdentityList,
    IdentityProvider,
    IdentityProviderCheck,
    IdentityProviderCreate,
    IdentityProviderList,
    IdentityProviderUpdate,
    SignInChoiceList,
)
from towline.contract.operations import Operation, create, delete, read, update

_PROVIDERS: Final = "/identity-providers"
_PROVIDER: Final = "/identity-providers/{provider}"

IDENTITY_OPERATIONS: Final = (
    read(
        "identityProviders.listForSignIn",
        "/sign-in/providers",
        needs="anyone",
        gives=SignInChoiceList,
        summary="List what the sign-in page offers",
    ),
    read(
        "identityProviders.list",
        _PROVIDERS,
        needs="administer",
        gives=IdentityProviderList,
        summary="List identity providers",
    ),
    create(
        "identityProviders.create",
        _PROVIDERS,
        needs="administer",
        takes=IdentityProviderCreate,
        gives=IdentityProvider,
        summary="Set up an identity provider",
    ),
    read(
        "identityProviders.get",
        _PROVIDER,
        needs="administer",
        gives=IdentityProvider,
        summary="Show an identity provider",
    ),
    update(
        "identityProviders.update",
        _PROVIDER,
        needs="administer",
        takes=IdentityProviderUpdate,
        gives=IdentityProvider,
        summary="Change an identity provider",
    ),
    delete(
        "identityProviders.delete",
        _PROVIDER,
        needs="administer",
        summary="Delete an identity provider and all identities there",
    ),
    Operation(
        "identityProviders.test",
        "POST",
        f"{_PROVIDER}/test",
        "Try whether an identity provider can be used",
        "administer",
        response=IdentityProviderCheck,
    ),
    read(
        "identities.list",
        "/account/identities",
        needs="signed_in",
        gives=IdentityList,
        summary="List the caller's identities at providers",
    ),
    delete(
        "identities.delete",
        "/account/identities/{identity}",
        needs="signed_in",
        summary="Unlink an identity; never the last way to sign in",
    ),
    create(
        "device.start",
        "/device/code",
        needs="anyone",
        takes=DeviceStart,
        gives=DeviceCode,
        summary="Ask for codes that sign a device in",
    ),
    Operation(
        "device.token",
        "POST",
        "/device/token",
        "Ask whether a device was approved; if so, its key",
        "anyone",
        request=DeviceQuestion,
        response=DeviceAnswer,
    ),
    Operation(
        "device.approve",
        "POST",
        "/device/approve",
        "Sign a device in as the caller; needs a session",
        "signed_in",
        request=DeviceDecision,
        response=Device,
    ),
    Operation(
        "device.deny",
        "POST",
        "/device/deny",
        "Refuse a device; needs a session",
        "signed_in",
        request=DeviceDecision,
        response=Device,
    ),
)
