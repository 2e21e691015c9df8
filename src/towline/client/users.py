"""Calls about users of the instance, password resets and mail."""

from collections.abc import Iterator

from towline.client.connection import Call, Connection
from towline.contract.users import (
    MailTest,
    MailTested,
    NewUser,
    PasswordLink,
    PasswordResetAsk,
    PasswordResetAsked,
    PasswordResetDone,
    PasswordResetFinish,
    User,
    UserCreate,
    UserList,
    UserQuery,
    UserUpdate,
)


class Users:
    """Users of the instance, for its administrators; `user` is an id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, query: UserQuery | None = None) -> UserList:
        """One page of users, by address."""
        return self._connection.send(Call("users.list", query=query), UserList)

    def iterate(self) -> Iterator[User]:
        """All users."""
        return self._connection.iterate(Call("users.list", query=UserQuery(limit=200)), UserList)

    def find(self, email: str) -> User | None:
        """The user with an address."""
        found = self.list(UserQuery(email=email)).items
        return found[0] if found else None

    def create(self, user: UserCreate) -> NewUser:
        """Create a user; the answer alone shows the link to choose a password."""
        return self._connection.send(Call("users.create", body=user), NewUser)

    def get(self, user: str) -> User:
        """A user, or NotFound."""
        return self._connection.send(Call("users.get", {"user": user}), User)

    def update(self, user: str, change: UserUpdate) -> User:
        """Change a user."""
        return self._connection.send(Call("users.update", {"user": user}, body=change), User)

    def reset_password(self, user: str) -> PasswordLink:
        """A one-time link by which the user chooses a new password."""
        return self._connection.send(Call("users.resetPassword", {"user": user}), PasswordLink)

    def ask_for_reset(self, ask: PasswordResetAsk) -> PasswordResetAsked:
        """Ask for a mail with a link to choose a new password; no credential is needed."""
        return self._connection.send(Call("passwordReset.ask", body=ask), PasswordResetAsked)

    def finish_reset(self, finish: PasswordResetFinish) -> PasswordResetDone:
        """Choose a new password by a one-time link; no credential is needed."""
        return self._connection.send(Call("passwordReset.finish", body=finish), PasswordResetDone)

    def test_mail(self, test: MailTest) -> MailTested:
        """Send a test mail; what the mail server said."""
        return self._connection.send(Call("mail.test", body=test), MailTested)
