"""Operations of second factors and passkeys."""

from typing import Final

from towline.contract.base import PageQuery
from towline.contract.operations import Operation, create, delete, read, update
from towline.contract.second_factors import (
    NewPasskey,
    Passkey,
    PasskeyBegin,
    PasskeyCreate,
    PasskeyList,
    PasskeyOptions,
    PasskeySignIn,
    PasskeyUpdate,
    RecoveryCodes,
    SecondFactors,
    SecondFactorSignIn,
    TotpConfirm,
    TotpSetup,
)
from towline.contract.sessions import SignInResult

_PASSKEYS: Final = "/account/passkeys"

SECOND_FACTOR_OPERATIONS: Final = (
    read(
        "secondFactors.list",
        "/account/second-factors",
        needs="signed_in",
        gives=SecondFactors,
        summary="Show the caller's second factors",
    ),
    delete(
        "secondFactors.delete",
        "/users/{user}/second-factors",
        needs="administer",
        summary="Delete all second factors and passkeys of a user who has lost them",
    ),
    Operation(
        "totp.begin",
        "POST",
        "/account/totp",
        "Set up an authenticator app; its secret is shown once",
        "signed_in",
        response=TotpSetup,
        status=201,
    ),
    Operation(
        "totp.confirm",
        "POST",
        "/account/totp/confirm",
        "Turn one-time codes on by the first of them",
        "signed_in",
        request=TotpConfirm,
        response=RecoveryCodes,
    ),
    delete("totp.delete", "/account/totp", needs="signed_in", summary="Turn one-time codes off"),
    Operation(
        "recoveryCodes.create",
        "POST",
        "/account/recovery-codes",
        "Make ten new recovery codes in place of the old ones; they are shown once",
        "signed_in",
        response=RecoveryCodes,
        status=201,
    ),
    Operation(
        "passkeys.begin",
        "POST",
        f"{_PASSKEYS}/begin",
        "Begin to register a passkey",
        "signed_in",
        response=PasskeyOptions,
        status=201,
    ),
    create(
        "passkeys.create",
        _PASSKEYS,
        needs="signed_in",
        takes=PasskeyCreate,
        gives=NewPasskey,
        summary="Register the passkey a browser made",
    ),
    read(
        "passkeys.list",
        _PASSKEYS,
        needs="signed_in",
        gives=PasskeyList,
        query=PageQuery,
        summary="List the caller's passkeys",
    ),
    update(
        "passkeys.update",
        f"{_PASSKEYS}/{{passkey}}",
        needs="signed_in",
        takes=PasskeyUpdate,
        gives=Passkey,
        summary="Rename a passkey",
    ),
    delete("passkeys.delete", f"{_PASSKEYS}/{{passkey}}", needs="signed_in", summary="Delete a passkey"),
    create(
        "signIn.passkeyBegin",
        "/sign-in/passkey/begin",
        needs="anyone",
        takes=PasskeyBegin,
        gives=PasskeyOptions,
        summary="Begin to sign in by a passkey",
    ),
    create(
        "signIn.passkey",
        "/sign-in/passkey",
        needs="anyone",
        takes=PasskeySignIn,
        gives=SignInResult,
        summary="Sign in by a passkey alone",
    ),
    create(
        "signIn.secondFactor",
        "/sign-in/second-factor",
        needs="anyone",
        takes=SecondFactorSignIn,
        gives=SignInResult,
        summary="Finish signing in by a second factor",
    ),
)
