"""Calls about second factors and passkeys, and signing in by them."""

from towline.client.connection import Call, Connection
from towline.contract.base import PageQuery
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
    SecondFactorSignIn,
    TotpConfirm,
    TotpSetup,
)
from towline.contract.second_factors import SecondFactors as SecondFactorsModel
from towline.contract.sessions import SignInResult


class SecondFactors:
    """The caller's one-time codes and recovery codes; finishing a sign-in by a second factor."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> SecondFactorsModel:
        """What the caller can prove after a password."""
        return self._connection.send(Call("secondFactors.list"), SecondFactorsModel)

    def delete(self, user: str) -> None:
        """Delete all second factors and passkeys of a user who has lost them; for administrators."""
        self._connection.run(Call("secondFactors.delete", {"user": user}))

    def begin_totp(self) -> TotpSetup:
        """A new secret for an authenticator app; the only answer that shows it."""
        return self._connection.send(Call("totp.begin"), TotpSetup)

    def confirm_totp(self, code: TotpConfirm) -> RecoveryCodes:
        """Turn one-time codes on by the first of them."""
        return self._connection.send(Call("totp.confirm", body=code), RecoveryCodes)

    def delete_totp(self) -> None:
        """Turn one-time codes off."""
        self._connection.run(Call("totp.delete"))

    def create_recovery_codes(self) -> RecoveryCodes:
        """Ten new recovery codes; the only answer that shows them."""
        return self._connection.send(Call("recoveryCodes.create"), RecoveryCodes)

    def finish_sign_in(self, proof: SecondFactorSignIn) -> SignInResult:
        """The session of a sign-in that waited for a second factor."""
        return self._connection.send(Call("signIn.secondFactor", body=proof), SignInResult)


class Passkeys:
    """The caller's passkeys, and signing in by one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self) -> PasskeyOptions:
        """What a browser is asked to make."""
        return self._connection.send(Call("passkeys.begin"), PasskeyOptions)

    def create(self, passkey: PasskeyCreate) -> NewPasskey:
        """Register what the browser made."""
        return self._connection.send(Call("passkeys.create", body=passkey), NewPasskey)

    def list(self, query: PageQuery | None = None) -> PasskeyList:
        """One page of passkeys, oldest first."""
        return self._connection.send(Call("passkeys.list", query=query), PasskeyList)

    def update(self, passkey: str, change: PasskeyUpdate) -> Passkey:
        """Rename a passkey."""
        return self._connection.send(Call("passkeys.update", {"passkey": passkey}, body=change), Passkey)

    def delete(self, passkey: str) -> None:
        """Delete a passkey."""
        self._connection.run(Call("passkeys.delete", {"passkey": passkey}))

    def begin_sign_in(self, begin: PasskeyBegin) -> PasskeyOptions:
        """What a browser is asked to prove."""
        return self._connection.send(Call("signIn.passkeyBegin", body=begin), PasskeyOptions)

    def sign_in(self, proof: PasskeySignIn) -> SignInResult:
        """The session of the user whose passkey proved itself."""
        return self._connection.send(Call("signIn.passkey", body=proof), SignInResult)
