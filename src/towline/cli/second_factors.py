"""`towline account totp | passkeys | recovery-codes`: what you sign in with beside or instead of a password."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer

from towline.cli.keys import read_secret
from towline.cli.options import AsJson, Yes
from towline.cli.session import Session, open_session
from towline.client import TowlineClient
from towline.contract.second_factors import PasskeyUpdate, RecoveryCodes, SecondFactorSignIn, TotpConfirm
from towline.contract.sessions import SignIn
from towline.errors import InvalidInput
from towline.infra.lazily import load

_OTHERS_ENDED: Final = "All other sessions were ended."
_SHORTEST_RECOVERY_CODE: Final = 16

totp = typer.Typer(name="totp", help="One-time codes of an authenticator app.")
passkeys = typer.Typer(name="passkeys", help="Passkeys; new ones are added in a browser.")


@totp.callback(invoke_without_command=True)
def show_totp_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """One-time codes of an authenticator app."""
    if context.invoked_subcommand is None:
        show_totp(as_json=as_json)


@totp.command("show")
def show_totp(*, as_json: AsJson = False) -> None:
    """Show which second factors you have."""
    with open_session(as_json=as_json) as session:
        found = session.client.second_factors.get()
        facts = {
            "one-time codes": f"on since {found.totp_since:%Y-%m-%d}" if found.totp_since else "off",
            "passkeys": len(found.passkeys),
            "recovery codes left": found.recovery_codes_left,
        }
        session.output.model(found, facts)


@totp.command("on")
def turn_totp_on(*, as_json: AsJson = False) -> None:
    """Set up an authenticator app: its secret is shown (on standard error), then its first code is asked for."""
    with open_session(as_json=as_json) as session, _proved(session) as client:
        setup = client.second_factors.begin_totp()
        if sys.stderr.isatty():
            picture: Any = load("segno").make(setup.uri, micro=False)
            picture.terminal(out=sys.stderr, compact=True)
        typer.echo(f"Give this to the app: {setup.secret}\nor: {setup.uri}", err=True)
        turned_on = client.second_factors.confirm_totp(TotpConfirm(code=read_secret("Code the app shows")))
        _show_codes(session, turned_on)
        session.output.say(f"One-time codes are on. {_OTHERS_ENDED}")


@totp.command("off")
def turn_totp_off(*, yes: Yes = False, as_json: AsJson = False) -> None:
    """Turn one-time codes off."""
    with open_session(as_json=as_json) as session:
        session.confirm("Turn one-time codes off?", yes=yes)
        with _proved(session) as client:
            client.second_factors.delete_totp()
        session.output.say(f"One-time codes are off. {_OTHERS_ENDED}")


def create_recovery_codes(*, yes: Yes = False, as_json: AsJson = False) -> None:
    """Make ten new recovery codes, shown once; the old ones stop working."""
    with open_session(as_json=as_json) as session:
        session.confirm("Make new recovery codes in place of all old ones?", yes=yes)
        with _proved(session) as client:
            _show_codes(session, client.second_factors.create_recovery_codes())


@passkeys.callback(invoke_without_command=True)
def list_passkeys_by_default(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Passkeys; new ones are added in a browser."""
    if context.invoked_subcommand is None:
        list_passkeys(as_json=as_json)


@passkeys.command("list")
def list_passkeys(*, as_json: AsJson = False) -> None:
    """List your passkeys."""
    with open_session(as_json=as_json) as session:
        session.output.models(
            session.client.passkeys.list().items,
            {
                "name": lambda row: row.name,
                "reached by": lambda row: row.transports,
                "backed up": lambda row: row.is_backed_up,
                "last used": lambda row: row.last_used_at,
                "id": lambda row: row.id,
            },
            nothing=f"No passkey. Add one in a browser: {session.credentials.url}/account/security",
        )


@passkeys.command("rename")
def rename_passkey(
    passkey: Annotated[str, typer.Argument(metavar="ID")],
    name: Annotated[str, typer.Argument(help="New name.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Give a passkey another name."""
    with open_session(as_json=as_json) as session:
        with _proved(session) as client:
            renamed = client.passkeys.update(passkey, PasskeyUpdate(name=name))
        session.output.model(renamed, {"name": renamed.name, "id": renamed.id})


@passkeys.command("delete")
def delete_passkey(
    passkey: Annotated[str, typer.Argument(metavar="ID")], *, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Delete a passkey, unless it is the last way in."""
    with open_session(as_json=as_json) as session:
        session.confirm(f"Delete the passkey {passkey}?", yes=yes)
        with _proved(session) as client:
            client.passkeys.delete(passkey)
        session.output.say(f"Deleted the passkey {passkey}. {_OTHERS_ENDED}")


@contextmanager
def _proved(session: Session) -> Generator[TowlineClient]:
    """A client that has just signed in by password and, where needed, a second factor; signed out afterwards.

    Whatever else the command line works with is too weak for these changes: an API key, or a session of some age.
    """
    email = session.client.account.get().user.email
    given = SignIn(email=email, password=read_secret("Password"), kind="token", device="towline account")
    found = session.client.sessions.create(given)
    if found.ticket is not None:
        found = session.client.second_factors.finish_sign_in(_second_factor(found.ticket, found.factors))
    with TowlineClient(session.credentials.url, found.token or "") as client:
        try:
            yield client
        finally:
            client.sessions.end()


def _second_factor(ticket: str, factors: Sequence[str]) -> SecondFactorSignIn:
    if not {"totp", "recovery_code"} & set(factors):
        raise InvalidInput("Your only second factor is a passkey.", hint="Do this in a browser, at /account/security.")
    typed = read_secret("One-time code or recovery code")
    if typed.replace(" ", "").isdecimal() and len(typed) < _SHORTEST_RECOVERY_CODE:
        return SecondFactorSignIn(ticket=ticket, code=typed, kind="token")
    return SecondFactorSignIn(ticket=ticket, recovery_code=typed, kind="token")


def _show_codes(session: Session, made: RecoveryCodes) -> None:
    if session.output.is_json:
        session.output.model(made, {})
        return
    for code in made.recovery_codes:
        session.output.say(code)
    if made.recovery_codes:
        session.output.say("Keep these recovery codes now; they are not shown again.")
