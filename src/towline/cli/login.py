"""`towline login | logout`: a key of this machine's own, by the browser or by a code on any other device."""

import os
import platform
import sys
import webbrowser
from typing import Annotated

import typer

from towline.cli.credentials import Login, delete_credentials, find_credentials, find_login, store_credentials
from towline.cli.keys import read_secret
from towline.cli.options import AsJson
from towline.cli.output import Output, safe_line
from towline.client import TowlineClient
from towline.contract.device import DeviceAnswer
from towline.errors import Forbidden, InvalidInput, NotFound, TimedOut, TowlineError, Unauthenticated

_LONGEST_NAME = 100

UrlArgument = Annotated[
    str | None,
    typer.Argument(help="Address of the server, such as https://towline.example.com; else the one in use."),
]


def login(
    url: UrlArgument = None,
    *,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Ask for an API key, or read one from standard input.")
    ] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    as_json: AsJson = False,
) -> None:
    """Sign in to a server: approve this machine in the browser, here or on any other device."""
    server = url or _known_url()
    key_id = ""
    if with_key:
        api_key = read_secret("API key")
    else:
        answer = _ask_for_approval(server, opens_browser=not no_browser)
        api_key, key_id = answer.key or "", answer.key_id or ""
    output = Output(is_json=as_json)
    with TowlineClient(server, api_key) as client:
        account = client.instance.get_account()
        path = store_credentials(os.environ, url=client.connection.base_url, api_key=api_key, key_id=key_id)
    output.model(account, {"signed in as": account.user.email or account.user.name or account.user.id})
    output.say(f"The key is kept in {path}.")


def logout(url: UrlArgument = None, *, as_json: AsJson = False) -> None:
    """Sign out of a server: revoke the key that `towline login` made, and forget it."""
    found = find_login(os.environ, url=url.rstrip("/") if url else None)
    if found is None:
        raise NotFound(
            f"No key of {url} is kept here." if url else "You are signed in nowhere.",
            hint="`towline config` shows where keys come from.",
        )
    said = _revoke(found)
    delete_credentials(os.environ, url=found.url)
    Output(is_json=as_json).say(f"Forgot the key of {found.url}. {said}")


def _known_url() -> str:
    found = find_credentials(os.environ)
    if found is None:
        raise InvalidInput(
            "No Towline server is known here.",
            hint="Name it: `towline login https://towline.example.com`.",
            field="url",
        )
    return found.url


def _ask_for_approval(server: str, *, opens_browser: bool) -> DeviceAnswer:
    name = f"CLI on {platform.node() or 'unknown'}"[:_LONGEST_NAME]
    with TowlineClient(server, "") as client:
        code = client.device.start("".join(letter for letter in name if letter.isprintable()))
        url = safe_line(code.verification_uri_complete, keeps_colours=False)
        typer.echo(f"Open {url}", err=True)
        typer.echo(f"and approve the code {safe_line(code.user_code, keeps_colours=False)}.", err=True)
        if opens_browser and _has_browser() and url.startswith(("https://", "http://")):
            webbrowser.open(url)
        answer = client.device.wait_for_answer(code)
    if answer.status == "denied":
        raise Forbidden("The sign-in was refused in the browser.", hint="Run `towline login` again and approve it.")
    if answer.status != "approved" or not answer.key:
        raise TimedOut("Nobody approved this sign-in in time.", hint="Run `towline login` again.")
    return answer


def _has_browser() -> bool:
    """Whether a browser with windows can be opened here; one for terminals would hide what is printed."""
    if not sys.stderr.isatty() or os.environ.get("SSH_CONNECTION"):
        return False
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _revoke(found: Login) -> str:
    if not found.key_id:
        return "It was not made by `towline login`, so it still works; `towline keys delete` revokes it."
    try:
        with TowlineClient(found.url, found.api_key, timeout=10) as client:
            client.keys.delete(found.key_id)
    except (Unauthenticated, NotFound):
        return "It did not work any more."
    except TowlineError as error:
        return f"It could not be revoked ({error.message}); do so with `towline keys delete {found.key_id}`."
    return "It is revoked."
