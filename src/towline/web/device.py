"""HTTP: devices that are signed in by a code (RFC 8628), and the page where a person approves them."""

from html import escape
from typing import Final
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response
from starlette.routing import Route

from towline.actions.access import Caller
from towline.actions.audit import record
from towline.actions.device_codes import VALID_FOR, answer, ask, canonical_code, get_pending, start
from towline.actions.pacing import count_start
from towline.actions.platform import Platform
from towline.contract.device import Device, DeviceAnswer, DeviceCode, DeviceDecision, DeviceQuestion, DeviceStart
from towline.errors import Unauthenticated
from towline.infra.database import Work
from towline.models.identities import DeviceCode as DeviceRow
from towline.web.arrivals import find_person, with_error_page
from towline.web.deps import Call, get_platform
from towline.web.forms import read_form, read_query, redirect
from towline.web.operations import OperationRouter
from towline.web.pages import page

router = OperationRouter()
_PAGE: Final = "/device"
_TITLE: Final = "Sign a device in"
_MOST_TRIES: Final = 50


@router.operation("device.start", holds_transaction=False)
async def start_device(call: Call, body: DeviceStart) -> DeviceCode:
    """Codes for a device; whoever asks is nobody yet, so nothing of it goes into the audit log."""
    async with call.platform.database.transaction() as work:
        made = await start(call.platform, work, client_name=body.client_name, address=call.caller.address)
    return DeviceCode(
        device_code=made.device_code,
        user_code=made.row.user_code,
        verification_uri=made.url,
        verification_uri_complete=f"{made.url}?code={made.row.user_code}",
        expires_in=int(VALID_FOR.total_seconds()),
        interval=made.row.interval_seconds,
    )


@router.operation("device.token", holds_transaction=False)
async def ask_for_token(call: Call, body: DeviceQuestion) -> DeviceAnswer:
    """How far a device is; once, its key."""
    async with call.platform.database.transaction() as work:
        found = await ask(work, body.device_code, address=call.caller.address)
    key = found.key
    return DeviceAnswer(
        status=found.status.value,
        interval=found.interval_seconds,
        key=None if key is None else key.value,
        key_id=None if key is None else key.key.id,
        expires_at=None if key is None else key.key.expires_at,
        user_email=None if found.user is None else found.user.email,
    )


@router.operation("device.approve")
async def approve(call: Call, body: DeviceDecision) -> Device:
    """Sign a device in as the caller."""
    return await _decide(call, body.user_code, is_approved=True)


@router.operation("device.deny")
async def deny(call: Call, body: DeviceDecision) -> Device:
    """Refuse a device."""
    return await _decide(call, body.user_code, is_approved=False)


async def show_device(request: Request) -> Response:
    """Ask for the code; with one, show who asks, for a person to compare."""
    code = read_query(request, longest=64).get("code", "")
    person = await find_person(request)
    if person is None:
        here = _PAGE + (f"?code={canonical_code(code)}" if code else "")
        return redirect(f"/sign-in?next={quote(here)}")
    if not code:
        return page(title=_TITLE, body=_CODE_FORM, status=200, headers={}, has_form=True)
    await _count_try(get_platform(request), person.caller)
    async with get_platform(request).database.transaction() as work:
        row = await get_pending(work, code)
    return page(title=_TITLE, body=_question(row, person.caller), status=200, headers={}, has_form=True)


async def decide_on_device(request: Request) -> Response:
    """What the person decided."""
    person = await find_person(request)
    if person is None:
        raise Unauthenticated("You are not signed in.", hint="Sign in first.")
    await _count_try(get_platform(request), person.caller)
    form = await read_form(request)
    is_approved = form.get("decision") == "approve"
    async with get_platform(request).database.transaction() as work:
        row = await answer(work, person.caller, form.get("code", ""), is_approved=is_approved)
        _record(work, person.caller, row)
    said = "is signed in. You can close this page." if is_approved else "was refused."
    body = f"<p><strong>{escape(row.client_name)}</strong> {said}</p>"
    body += '<p><a class="button" href="/account/sessions">Your sessions</a></p>'
    return page(title=_TITLE, body=body, status=200, headers={})


async def _decide(call: Call, code: str, *, is_approved: bool) -> Device:
    await _count_try(call.platform, call.caller)
    row = await answer(call.work, call.caller, code, is_approved=is_approved)
    call.note(row.id, name=row.client_name, address=row.address)
    return Device.model_validate(
        {"client_name": row.client_name, "address": row.address, "status": row.status, "created_at": row.created_at}
    )


def _record(work: Work, caller: Caller, row: DeviceRow) -> None:
    action = "device.approve" if row.status == "approved" else "device.deny"
    record(work, caller, action, object_id=row.id, detail={"name": row.client_name, "address": row.address})


async def _count_try(platform: Platform, caller: Caller) -> None:
    """Codes are short, so nobody may try many."""
    await count_start(platform, "device code", source=caller.user_id, most=_MOST_TRIES)


def _question(row: DeviceRow, caller: Caller) -> str:
    return (
        f"<p><strong>{escape(row.client_name)}</strong> at {escape(row.address or 'an unknown address')} wants to be "
        f"signed in as <strong>{escape(caller.email)}</strong>, to do all that you may, for 90 days.</p>"
        f"<p>Approve it only if you have just run <code>towline login</code> there yourself, and it shows</p>"
        f"<p><code>{escape(row.user_code)}</code></p>"
        f'<form method="post" action="{_PAGE}"><input type="hidden" name="code" value="{escape(row.user_code)}">'
        '<p><button type="submit" name="decision" value="approve" class="primary">Approve</button> '
        '<button type="submit" name="decision" value="deny">Refuse</button></p></form>'
    )


_CODE_FORM: Final = (
    "<p><code>towline login</code> shows a code on the computer that shall be signed in. Enter it here.</p>"
    f'<form method="get" action="{_PAGE}"><p><label>Code that the device shows '
    '<input name="code" required maxlength="32" autocomplete="off" autocapitalize="characters" autofocus></label></p>'
    '<p><button type="submit" class="primary">Go on</button></p></form>'
)
_as_page = with_error_page(_TITLE, link=_PAGE, link_text="Type the code again")
router.routes.append(Route(_PAGE, _as_page(show_device), methods=["GET"], name="device-page"))
router.routes.append(Route(_PAGE, _as_page(decide_on_device), methods=["POST"], name="device-decide"))
