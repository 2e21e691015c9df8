"""Calls about the caller: signing in, the account, its sessions."""

from towline.client.connection import Call, Connection
from towline.contract.account import Account as AccountModel
from towline.contract.account import AccountUpdate, EmailConfirm, PasswordChange, SetupComplete, SetupLink
from towline.contract.base import PageQuery
from towline.contract.sessions import Renewed, SessionConfirm, SessionList, SessionsEnded, SignIn, SignInResult


class Account:
    """The caller's own account."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> AccountModel:
        """Who is calling, by which key or session."""
        return self._connection.send(Call("account.get"), AccountModel)

    def update(self, change: AccountUpdate) -> AccountModel:
        """Change name or address."""
        return self._connection.send(Call("account.update", body=change), AccountModel)

    def confirm_email(self, proof: EmailConfirm) -> AccountModel:
        """Confirm another address by the link that was sent to it."""
        return self._connection.send(Call("account.confirmEmail", body=proof), AccountModel)

    def change_password(self, change: PasswordChange) -> Renewed:
        """Change the password; other sessions end, and the session of this client gets another value."""
        return self._connection.send(Call("account.changePassword", body=change), Renewed)

    def complete_setup(self, setup: SetupComplete) -> SignInResult:
        """Become the first administrator by the one-time set-up link."""
        return self._connection.send(Call("setup.complete", body=setup), SignInResult)

    def create_setup_link(self) -> SetupLink:
        """The one-time set-up link anew; without an address once one was used."""
        return self._connection.send(Call("setup.createLink"), SetupLink)


class Sessions:
    """Signing in and out, and the caller's sessions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, sign_in: SignIn) -> SignInResult:
        """Sign in by password: a session, or the ticket that waits for a second factor."""
        return self._connection.send(Call("sessions.create", body=sign_in), SignInResult)

    def list(self, query: PageQuery | None = None) -> SessionList:
        """One page of sessions, newest first."""
        return self._connection.send(Call("sessions.list", query=query), SessionList)

    def delete(self, session: str) -> None:
        """End one session."""
        self._connection.run(Call("sessions.delete", {"session": session}))

    def delete_others(self) -> SessionsEnded:
        """End all sessions but this client's."""
        return self._connection.send(Call("sessions.deleteOthers"), SessionsEnded)

    def end(self) -> None:
        """Sign out."""
        self._connection.run(Call("sessions.end"))

    def confirm(self, proof: SessionConfirm) -> Renewed:
        """Prove by the password that it is still the same person; the session gets another value."""
        return self._connection.send(Call("sessions.confirm", body=proof), Renewed)
