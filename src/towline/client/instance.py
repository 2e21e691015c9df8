"""Calls about the installation: who is calling, API keys, registries."""

from towline.client.connection import Call, Connection
from towline.contract.account import Account
from towline.contract.keys import KeyCreate, KeyList, KeyQuery, NewKey
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


class Keys:
    """API keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, query: KeyQuery | None = None) -> KeyList:
        """One page of keys, newest first: your own, or (for administrators) those of others."""
        return self._connection.send(Call("keys.list", query=query), KeyList)

    def create(self, key: KeyCreate) -> NewKey:
        """Create a key; the only answer that shows its value."""
        return self._connection.send(Call("keys.create", body=key), NewKey)

    def delete(self, key: str) -> None:
        """Revoke a key, and with it all keys it made."""
        self._connection.run(Call("keys.delete", {"key": key}))


class Registries:
    """Credentials for image registries."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, query: RegistryQuery | None = None) -> RegistryList:
        """One page of registries, by host."""
        return self._connection.send(Call("registries.list", query=query), RegistryList)

    def create(self, registry: RegistryCreate) -> Registry:
        """Store credentials."""
        return self._connection.send(Call("registries.create", body=registry), Registry)

    def delete(self, registry: str) -> None:
        """Delete credentials."""
        self._connection.run(Call("registries.delete", {"registry": registry}))


class Instance:
    """The installation itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_platform(self) -> Platform:
        """What this installation is and how it is reached."""
        return self._connection.send(Call("platform.get"), Platform)

    def update_platform(self, change: PlatformUpdate) -> PlatformUpdated:
        """Set the base domain; where Towline is reached then, once it has started again."""
        return self._connection.send(Call("platform.update", body=change), PlatformUpdated)

    def check_domain(self, domain: str | None = None) -> DomainCheck:
        """Whether a domain, or the instance's base domain, leads to this server."""
        return self._connection.send(Call("platform.checkDomain", query=DomainQuery(domain=domain)), DomainCheck)

    def list_former_hosts(self) -> FormerHostList:
        """Former addresses of Towline that still lead to it."""
        return self._connection.send(Call("platform.listFormerHosts"), FormerHostList)

    def retire_former_host(self, host: str) -> None:
        """Let a former address lead to Towline no more; an app may have it then."""
        self._connection.run(Call("platform.retireFormerHost", {"host": host}))

    def get_health(self) -> PlatformHealth:
        """How the platform itself is, and what waits."""
        return self._connection.send(Call("platform.getHealth"), PlatformHealth)

    def get_account(self) -> Account:
        """Who is calling."""
        return self._connection.send(Call("account.get"), Account)
