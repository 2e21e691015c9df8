"""HTTP: the page on which people set up their second factors and passkeys, and the module it shares with sign-in."""

import hashlib
from datetime import datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Final

from fastapi import Request
from starlette.responses import Response
from starlette.routing import Route

from towline.actions.credentials import Credential, check_recent_proof
from towline.actions.second_factors.passkeys import list_passkeys
from towline.actions.second_factors.recovery_codes import count_recovery_codes
from towline.actions.second_factors.totp import find_confirmed_at
from towline.errors import TowlineError, Unauthenticated
from towline.models.second_factors import Passkey
from towline.web.auth import find_caller
from towline.web.deps import get_platform
from towline.web.entrance import SCRIPT_PATH
from towline.web.forms import error_page, redirect
from towline.web.operations import OperationRouter
from towline.web.pages import PROJECTS, account_tabs, page

PAGE_PATH: Final = "/account/security"
_SIGN_IN: Final = f"/sign-in?next={PAGE_PATH}"
_SCRIPT: Final = Path(__file__).with_name("static") / "account.js"

router = OperationRouter()


async def show_security(request: Request) -> Response:
    """The caller's second factors, with all that can be done about them."""
    try:
        credential = await find_caller(request)
    except Unauthenticated:
        credential = None
    except TowlineError as error:
        return error_page(error, title="Security of your account")
    if credential is None or not credential.caller.session_id:
        return redirect(_SIGN_IN)
    user_id = credential.caller.user_id
    async with get_platform(request).database.transaction() as work:
        passkeys = await list_passkeys(work.session, user_id)
        totp_since = await find_confirmed_at(work.session, user_id)
        codes_left = await count_recovery_codes(work.session, user_id)
    body = (
        account_tabs(PAGE_PATH) + f"<p>You are signed in as <strong>{escape(credential.caller.email)}</strong>.</p>"
        '<p role="alert" class="problem" data-problem></p>'
        + _proof(credential)
        + _codes_place()
        + f"<section><h2>Passkeys</h2>{''.join(_passkey(row) for row in passkeys)}{_ADD_PASSKEY}</section>"
        + f"<section><h2>Authenticator app</h2>{_totp(totp_since)}</section>"
        + (_recovery(codes_left) if passkeys or totp_since else "")
    )
    return page(
        title="Security of your account",
        body=body,
        status=200,
        headers={},
        has_form=True,
        script=SCRIPT_PATH,
        way_on=PROJECTS,
    )


async def get_script(request: Request) -> Response:
    """The module that speaks with the browser's passkeys."""
    content, tag = _read_script()
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="text/javascript", headers=headers)


@cache
def _read_script() -> tuple[bytes, str]:
    content = _SCRIPT.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _proof(credential: Credential) -> str:
    """Ways to prove again who one is, when that is needed before anything can be changed."""
    try:
        check_recent_proof(credential)
    except TowlineError:
        return _PROVE_AGAIN
    return ""


_PROVE_AGAIN: Final = (
    "<section><h2>Is it still you?</h2><p>To change anything here, prove it again: by your password, by a passkey, or "
    "by signing out and in again.</p>"
    '<form data-action="confirm-password"><p><label>Password '
    '<input name="password" type="password" autocomplete="current-password" required></label> '
    '<button type="submit">Confirm</button></p></form>'
    f'<p><button type="button" data-action="sign-in-by-passkey" data-next="{PAGE_PATH}" data-needs-passkeys hidden>'
    "Use a passkey</button></p>"
    '<form method="post" action="/sign-out"><p><button type="submit">Sign out</button></p></form></section>'
)


def _codes_place() -> str:
    return (
        "<section data-codes hidden><h2>Your recovery codes</h2>"
        "<p>Each signs you in once without your app or passkey. Keep them now; they are not shown again.</p>"
        '<pre></pre><p><button type="button" data-action="reload">I have kept them</button></p></section>'
    )


def _passkey(row: Passkey) -> str:
    used = f"last used {_day(row.last_used_at)}" if row.last_used_at else "never used"
    kept = "kept on several devices" if row.is_backed_up else "kept on one device"
    passkey_id, name = escape(row.id), escape(row.name)
    return (
        f'<form data-action="rename-passkey" data-passkey="{passkey_id}">'
        f'<p><input name="name" value="{name}" aria-label="Name of the passkey {name}" required maxlength="100"> '
        f'<button type="submit" aria-label="Rename {name}">Rename</button> '
        f'<button type="button" data-action="delete-passkey" data-passkey="{passkey_id}" '
        f'aria-label="Delete {name}">Delete</button><br>'
        f"<small>registered {_day(row.created_at)}, {used}, {kept}</small></p></form>"
    )


_ADD_PASSKEY: Final = (
    '<form data-action="add-passkey" data-needs-passkeys hidden><p><label>Name of a new passkey '
    '<input name="name" placeholder="Laptop" maxlength="100"></label> '
    '<button type="submit">Add a passkey</button></p></form>'
)


def _totp(since: datetime | None) -> str:
    if since is not None:
        return (
            f"<p>One-time codes are on since {_day(since)}.</p>"
            '<p><button type="button" data-action="delete-totp">Turn them off</button></p>'
        )
    return (
        '<p><button type="button" data-action="begin-totp">Set up an authenticator app</button></p>'
        "<div data-totp-setup hidden><p>Scan this with the app, or type in the secret.</p>"
        '<p><img alt="QR code for the authenticator app" width="220" height="220"></p><p><code data-secret></code></p>'
        '<form data-action="confirm-totp"><p><label>Code the app shows <input name="code" required '
        'inputmode="numeric" autocomplete="one-time-code" maxlength="9"></label> '
        '<button type="submit">Turn on</button></p></form></div>'
    )


def _recovery(left: int) -> str:
    return (
        f"<section><h2>Recovery codes</h2><p>{left} not used yet.</p>"
        '<p><button type="button" data-action="create-codes">Make new ones</button></p></section>'
    )


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


router.routes.append(Route(PAGE_PATH, show_security, methods=["GET"], name="security"))
router.routes.append(Route(SCRIPT_PATH, get_script, methods=["GET"], name="account-script"))
