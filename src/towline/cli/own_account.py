"""`towline account`: who you are, your password and your sessions."""

import os
import sys
from typing import Annotated

import typer

from towline.cli import second_factors
from towline.cli.credentials import credentials_file, store_credentials
from towline.cli.keys import read_secret
from towline.cli.options import AsJson, Limit, Yes
from towline.cli.session import Session, open_session
from towline.contract.account import Account, AccountUpdate, PasswordChange
from towline.contract.base import PageQuery
from towline.errors import InvalidInput

account = typer.Typer(name="account", help="Account: who you are, your password and your sessions.")
account.add_typer(second_factors.totp)
account.add_typer(second_factors.passkeys)
account.command("recovery-codes")(second_factors.create_recovery_codes)


@account.callback(invoke_without_command=True)
def show_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Account: who you are, your password and your sessions."""
    if context.invoked_subcommand is None:
        show(as_json=as_json)


@account.command("show")
def show(*, as_json: AsJson = False) -> None:
    """Show who you are, and with which key or session."""
    with open_session(as_json=as_json) as session:
        _show(session, session.client.account.get())


@account.command("update")
def update(
    *,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="New name.")] = None,
    email: Annotated[
        str | None, typer.Option("--email", metavar="ADDRESS", help="New address; your password is asked for.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change your name or e-mail address."""
    if name is None and email is None:
        raise InvalidInput("Nothing to change was named.", hint="Pass --name or --email.")
    with open_session(as_json=as_json) as session:
        has_password = email is not None and session.client.account.get().has_password
        change = AccountUpdate(name=name, email=email, password=read_secret("Password") if has_password else None)
        changed = session.client.account.update(change)
        _show(session, changed)
        if changed.pending_email:
            session.output.say(f"A link was sent to {changed.pending_email}; open it to confirm the address.")


@account.command("password")
def change_password(*, as_json: AsJson = False) -> None:
    """Set or change your password; it is asked for, or read from standard input: the present one first, if any."""
    with open_session(as_json=as_json) as session:
        current = read_secret("Present password") if session.client.account.get().has_password else None
        new = read_secret("New password")
        if sys.stdin.isatty() and read_secret("New password again") != new:
            raise InvalidInput("The two new passwords differ.", hint="Type the same one twice.")
        change = PasswordChange(current_password=current, new_password=new)
        renewed = session.client.account.change_password(change)
        if renewed.token is not None:
            _keep(session, renewed.token)
        session.output.say("The password was changed. All other sessions were ended.")


@account.command("sessions")
def list_sessions(*, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List where you are signed in."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            session.client.sessions.list(PageQuery(limit=limit)).items,
            {
                "device": lambda row: row.device or "?",
                "address": lambda row: row.address,
                "by": lambda row: row.method,
                "last used": lambda row: row.last_used_at,
                "ends": lambda row: row.expires_at,
                "this one": lambda row: row.is_current,
                "id": lambda row: row.id,
            },
            nothing="No session.",
        )


@account.command("sign-out")
def sign_out(
    session_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The session to end.")] = None,
    *,
    others: Annotated[bool, typer.Option("--others", help="End all sessions but this one.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """End one of your sessions, or all others."""
    if (session_id is None) != others:
        raise InvalidInput("Name one session, or pass --others.", hint="`towline account sessions` lists them.")
    with open_session(as_json=as_json) as session:
        if session_id is not None:
            session.confirm(f"End the session {session_id}?", yes=yes)
            session.client.sessions.delete(session_id)
            session.output.say(f"Ended the session {session_id}.")
            return
        session.confirm("End all your other sessions?", yes=yes)
        ended = session.client.sessions.delete_others().ended
        session.output.say(f"Ended {ended} sessions.")


def _keep(session: Session, token: str) -> None:
    """The session goes on under another value, which takes the old one's place where that is kept."""
    if session.credentials.origin != str(credentials_file(os.environ)):
        session.output.say(f"Your session has another value now, for {session.credentials.origin}: {token}")
        return
    store_credentials(os.environ, url=session.credentials.url, api_key=token)


def _show(session: Session, found: Account) -> None:
    if found.session is not None:
        by = f"session by {found.session.method}, until {found.session.expires_at:%Y-%m-%d}"
    else:
        by = f"API key {found.key.name}" if found.key else ""
    facts = {
        "name": found.user.name,
        "e-mail": found.user.email,
        "administrator": found.user.is_administrator,
        "password": "set" if found.has_password else "none",
        "signed in with": by,
        "may": found.permissions,
        "id": found.user.id,
    }
    session.output.model(found, facts)
