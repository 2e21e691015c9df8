"""Operations of the whole installation: the caller's own account and keys, registries, audit log, events."""

from typing import Final

from towline.contract.account import Account
from towline.contract.audit import AuditList, AuditQuery
from towline.contract.events import Event, Subscribe
from towline.contract.keys import KeyCreate, KeyList, KeyQuery, NewKey
from towline.contract.operations import Operation, create, delete, read, update
from towline.contract.platform import (
    DomainCheck,
    DomainQuery,
    FormerHostList,
    Platform,
    PlatformHealth,
    PlatformUpdate,
    PlatformUpdated,
)
from towline.contract.registries import Registry, RegistryCreate, RegistryList, RegistryQuery

INSTANCE_OPERATIONS: Final = (
    read("account.get", "/account", needs="signed_in", gives=Account, summary="Show who is calling"),
    read("keys.list", "/keys", needs="signed_in", gives=KeyList, query=KeyQuery, summary="List API keys"),
    create(
        "keys.create",
        "/keys",
        needs="signed_in",
        takes=KeyCreate,
        gives=NewKey,
        summary="Create an API key; its value is shown once",
    ),
    delete("keys.delete", "/keys/{key}", needs="signed_in", summary="Revoke an API key"),
    read(
        "registries.list",
        "/registries",
        needs="manage_services",
        gives=RegistryList,
        query=RegistryQuery,
        summary="List registry credentials",
    ),
    create(
        "registries.create",
        "/registries",
        needs="manage_services",
        takes=RegistryCreate,
        gives=Registry,
        summary="Store registry credentials",
    ),
    delete(
        "registries.delete", "/registries/{registry}", needs="manage_services", summary="Delete registry credentials"
    ),
    read(
        "audit.list",
        "/audit",
        needs="manage_collaborators",
        gives=AuditList,
        query=AuditQuery,
        summary="List changes and refused attempts",
    ),
    read("platform.get", "/platform", needs="signed_in", gives=Platform, summary="Show the installation"),
    update(
        "platform.update",
        "/platform",
        needs="administer",
        takes=PlatformUpdate,
        gives=PlatformUpdated,
        summary="Set the base domain; Towline starts again for that",
    ),
    read(
        "platform.checkDomain",
        "/platform/domain-check",
        needs="administer",
        gives=DomainCheck,
        query=DomainQuery,
        summary="Look whether a domain leads to this server",
    ),
    read(
        "platform.listFormerHosts",
        "/platform/former-hosts",
        needs="administer",
        gives=FormerHostList,
        summary="List former addresses of Towline that still lead to it",
    ),
    delete(
        "platform.retireFormerHost",
        "/platform/former-hosts/{host}",
        needs="administer",
        summary="Let a former address lead to Towline no more",
    ),
    read(
        "platform.getHealth",
        "/platform/health",
        needs="administer",
        gives=PlatformHealth,
        summary="Show how the platform itself is, and what waits",
    ),
    Operation(
        "events",
        "WEBSOCKET",
        "/ws",
        "Follow events of rooms",
        "signed_in",
        request=Subscribe,
        response=Event,
        status=101,
    ),
)
