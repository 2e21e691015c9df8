"""Calls about identity providers, the caller's identities there, and signing a device in by a code."""

import time
from typing import Final

from towline.client.connection import Call, Connection
from towline.contract.device import DeviceAnswer, DeviceCode, DeviceQuestion, DeviceStart
from towline.contract.identities import (
    IdentityList,
    IdentityProvider,
    IdentityProviderCheck,
    IdentityProviderCreate,
    IdentityProviderList,
    IdentityProviderUpdate,
)
from towline.errors import TimedOut, Unavailable

_LONGEST_PAUSE: Final = 60.0


class IdentityProviders:
    """Providers that users may sign in with; for instance administrators."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> IdentityProviderList:
        """All providers by name."""
        return self._connection.send(Call("identityProviders.list"), IdentityProviderList)

    def create(self, provider: IdentityProviderCreate) -> IdentityProvider:
        """Set up a provider."""
        return self._connection.send(Call("identityProviders.create", body=provider), IdentityProvider)

    def get(self, provider: str) -> IdentityProvider:
        """One provider by name or id."""
        return self._connection.send(Call("identityProviders.get", {"provider": provider}), IdentityProvider)

    def update(self, provider: str, changes: IdentityProviderUpdate) -> IdentityProvider:
        """Change the fields that are set."""
        call = Call("identityProviders.update", {"provider": provider}, body=changes)
        return self._connection.send(call, IdentityProvider)

    def delete(self, provider: str) -> None:
        """Delete a provider and all identities there."""
        self._connection.run(Call("identityProviders.delete", {"provider": provider}))

    def test(self, provider: str) -> IdentityProviderCheck:
        """Try whether a provider can be used."""
        return self._connection.send(Call("identityProviders.test", {"provider": provider}), IdentityProviderCheck)


class Identities:
    """The caller's identities at providers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> IdentityList:
        """All of them, oldest first."""
        return self._connection.send(Call("identities.list"), IdentityList)

    def delete(self, identity: str) -> None:
        """Unlink one; needs a session."""
        self._connection.run(Call("identities.delete", {"identity": identity}))


class Device:
    """Signing this device in by a code; needs no credential."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def start(self, client_name: str) -> DeviceCode:
        """Codes for a device of this name."""
        return self._connection.send(Call("device.start", body=DeviceStart(client_name=client_name)), DeviceCode)

    def ask(self, device_code: str) -> DeviceAnswer:
        """How far the device is."""
        return self._connection.send(Call("device.token", body=DeviceQuestion(device_code=device_code)), DeviceAnswer)

    def wait_for_answer(self, code: DeviceCode) -> DeviceAnswer:
        """The person's answer, asked for as often as the server wants; TimedOut when there is none in time."""
        deadline = time.monotonic() + code.expires_in
        pause = float(code.interval)
        while time.monotonic() < deadline:
            time.sleep(min(pause, _LONGEST_PAUSE))
            try:
                answer = self.ask(code.device_code)
            except (Unavailable, TimedOut):
                continue
            if answer.status not in {"pending", "slow_down"}:
                return answer
            pause = float(answer.interval)
        raise TimedOut("Nobody approved this sign-in in time.", hint="Run `towline login` again.")
