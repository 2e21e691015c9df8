"""`towline users`: the users of the instance, for its administrators."""

from typing import Annotated, Final

import typer

from towline.cli.members import EmailArgument, show_invitation
from towline.cli.options import AsJson, Yes
from towline.cli.session import Session, open_session
from towline.contract.members import InvitationCreate
from towline.contract.users import MailTest, User, UserCreate, UserUpdate
from towline.errors import NotFound

users = typer.Typer(name="users", help="Users of the instance, for its administrators.")

Administrator = Annotated[bool, typer.Option("--administrator", help="Make them an instance administrator.")]
_LINK: Final = "\nPass the link on; it works once and is not shown again."


@users.callback(invoke_without_command=True)
def list_users_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Users of the instance, for its administrators."""
    if context.invoked_subcommand is None:
        list_users(as_json=as_json)


@users.command("list")
def list_users(*, as_json: AsJson = False) -> None:
    """List the users of the instance."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            list(session.client.users.iterate()),
            {
                "email": lambda row: row.email,
                "name": lambda row: row.name,
                "administrator": lambda row: "yes" if row.is_administrator else "",
                "disabled": lambda row: "yes" if row.is_disabled else "",
                "since": lambda row: row.created_at,
                "id": lambda row: row.id,
            },
            nothing="No user.",
        )


@users.command("create")
def create_user(
    email: EmailArgument,
    *,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Their name.")] = "",
    administrator: Administrator = False,
    as_json: AsJson = False,
) -> None:
    """Create a user at once; prints a one-time link to choose a password."""
    with open_session(as_json=as_json) as session:
        user = session.client.users.create(UserCreate(email=email, name=name, is_administrator=administrator))
        facts = {"user": user.email, "id": user.id, "link": user.link, "works until": user.link_expires_at}
        session.output.model(user, facts)
        session.output.say(_LINK)


@users.command("invite")
def invite_user(email: EmailArgument, *, administrator: Administrator = False, as_json: AsJson = False) -> None:
    """Invite an address to an account of its own; the invitation is good once, for seven days."""
    with open_session(as_json=as_json) as session:
        body = InvitationCreate(email=email, is_administrator=administrator)
        show_invitation(session, session.client.invitations.create(body))


@users.command("disable")
def disable_user(email: EmailArgument, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Disable a user: sessions and keys end at once, for good."""
    with open_session(as_json=as_json) as session:
        user = _get_user(session, email)
        session.confirm(f"Disable {user.email} and end all their sessions and keys?", yes=yes)
        _show(session, session.client.users.update(user.id, UserUpdate(is_disabled=True)))


@users.command("enable")
def enable_user(email: EmailArgument, *, as_json: AsJson = False) -> None:
    """Let a disabled user sign in again; their old keys stay revoked."""
    with open_session(as_json=as_json) as session:
        user = _get_user(session, email)
        _show(session, session.client.users.update(user.id, UserUpdate(is_disabled=False)))


@users.command("administrator")
def set_administrator(
    email: EmailArgument,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Take the right away instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a user an instance administrator."""
    with open_session(as_json=as_json) as session:
        user = _get_user(session, email)
        _show(session, session.client.users.update(user.id, UserUpdate(is_administrator=not remove)))


@users.command("reset-password")
def reset_password(email: EmailArgument, *, as_json: AsJson = False) -> None:
    """Print a one-time link by which a user chooses a new password.

    When every administrator is locked out, run it on the server as the user who runs Towline: there it needs no
    sign-in, as `towline up` keeps a key for this machine in the data folder.
    """
    with open_session(as_json=as_json) as session:
        made = session.client.users.reset_password(_get_user(session, email).id)
        session.output.model(made, {"user": made.email, "link": made.link, "works until": made.expires_at})
        session.output.say(_LINK)


@users.command("reset-factors")
def reset_factors(email: EmailArgument, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Take away all second factors and passkeys of a user who has lost them; their sessions end."""
    with open_session(as_json=as_json) as session:
        user = _get_user(session, email)
        session.confirm(f"Take away all second factors and passkeys of {user.email}?", yes=yes)
        session.client.second_factors.delete(user.id)
        session.output.say(f"{user.email} signs in without a second factor until a new one is set up.")


@users.command("test-mail")
def send_test_mail(
    email: Annotated[str | None, typer.Argument(metavar="[EMAIL]", help="Where to; else your own address.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Send a test mail and show what the mail server said."""
    with open_session(as_json=as_json) as session:
        told = session.client.users.test_mail(MailTest(to=email))
        session.output.model(told, {"to": told.to, "server": told.server, "answer": told.answer})


def _get_user(session: Session, email: str) -> User:
    """A user by address or id."""
    if "@" not in email:
        return session.client.users.get(email)
    user = session.client.users.find(email)
    if user is None:
        raise NotFound(f"There is no user {email}.", hint="List them with `towline users`.")
    return user


def _show(session: Session, user: User) -> None:
    facts = {
        "user": user.email,
        "administrator": "yes" if user.is_administrator else "no",
        "disabled": "yes" if user.is_disabled else "no",
    }
    session.output.model(user, facts)
