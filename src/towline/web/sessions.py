"""HTTP: the answer to every way of signing in, and the sessions it opened."""

from datetime import datetime, timedelta
from typing import Final, Literal

from fastapi import Request
from starlette.responses import Response

from towline.actions.account import check_unlimited, confirm
from towline.actions.limits import Visit, find_known_device, make_device_mark
from towline.actions.sessions import NewSession, end_session, end_session_of_value, end_sessions, list_sessions
from towline.actions.sign_in import SecondFactorNeeded, SignedIn
from towline.contract.account import AccountUser
from towline.contract.base import PageQuery
from towline.contract.operations import JSON_MEDIA_TYPE
from towline.contract.sessions import Renewed, Session, SessionConfirm, SessionList, SessionsEnded, SignInResult
from towline.errors import Conflict
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.sessions import Session as SessionRow
from towline.web.addresses import client_address
from towline.web.cookies import (
    DEVICE_COOKIE,
    SESSION_COOKIE,
    delete_cookie,
    read_cookie,
    read_session_cookie,
    set_cookie,
)
from towline.web.cursors import decode_cursor, decode_time, page_of
from towline.web.deps import Call, get_platform
from towline.web.operations import OperationRouter

router = OperationRouter()
_DEVICE_KNOWN_FOR: Final = timedelta(days=365)
_BROWSERS: Final = ("Firefox", "Edg", "OPR", "Chrome", "Safari")
_SYSTEMS: Final = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
_NAMES: Final = {"Edg": "Edge", "OPR": "Opera", "Mac OS": "macOS"}


@router.operation("sessions.list")
async def list_(call: Call, query: PageQuery) -> SessionList:
    """The caller's sessions that have not ended, newest first."""
    check_unlimited(call.credential)
    key = decode_cursor(query.cursor, str, str)
    after = (decode_time(key[0]), str(key[1])) if key is not None else None
    found = await list_sessions(
        call.platform, call.session, user_id=call.caller.user_id, after=after, limit=query.limit + 1
    )
    page = page_of(list(found), limit=query.limit, key=_key)
    items = [shown_session(row, current_id=call.caller.session_id) for row in page["items"]]
    return SessionList(items=items, next_cursor=page["next_cursor"])


@router.operation("sessions.delete")
async def delete(call: Call) -> None:
    """End one of the caller's sessions, at once."""
    check_unlimited(call.credential)
    ended = await end_session(call.platform, call.work, user_id=call.caller.user_id, session_id=call.path["session"])
    call.note(ended.id, device=ended.device)


@router.operation("sessions.deleteOthers")
async def delete_others(call: Call) -> SessionsEnded:
    """End all of the caller's sessions but that of the call, at once."""
    check_unlimited(call.credential)
    caller = call.caller
    count = await end_sessions(call.platform, call.work, user_id=caller.user_id, except_id=caller.session_id)
    call.note(caller.user_id, ended=count)
    return SessionsEnded(ended=count)


@router.operation("sessions.end")
async def end(call: Call) -> Response:
    """Sign out."""
    session_id = call.caller.session_id
    if not session_id:
        raise Conflict("There is no session to end: this call was made with an API key.", hint="Revoke the key.")
    await end_session(call.platform, call.work, user_id=call.caller.user_id, session_id=session_id)
    call.note(session_id)
    response = Response(status_code=call.operation.status)
    delete_cookie(call.request, response, SESSION_COOKIE)
    return response


@router.operation("sessions.confirm", holds_transaction=False)
async def prove(call: Call, body: SessionConfirm) -> Response:
    """Prove by the password that it is still the same person."""
    return answer_renewed(call, await confirm(call.platform, call.credential, password=body.password))


def visit_of(request: Request, *, device: str = "") -> Visit:
    """Where a try to sign in comes from."""
    mark = read_cookie(request, DEVICE_COOKIE)
    return Visit(address=client_address(request), device=device or device_of(request), mark=mark)


def answer_renewed(call: Call, renewed: NewSession | None) -> Response:
    """The answer to a change that gave the session another value: in the cookie, or here for who sends a token."""
    is_cookie = "authorization" not in call.request.headers
    token = renewed.value if renewed is not None and not is_cookie else None
    response = Response(Renewed(token=token).model_dump_json(), call.operation.status, media_type=JSON_MEDIA_TYPE)
    if renewed is not None and is_cookie:
        lasts = renewed.session.expires_at - utc_now()
        set_cookie(call.request, response, SESSION_COOKIE, renewed.value, valid_for=lasts)
    return response


def answer_sign_in(
    request: Request, outcome: SignedIn | SecondFactorNeeded, *, kind: Literal["cookie", "token"] = "cookie"
) -> Response:
    """The JSON answer to a way of signing in (201); a session of kind `cookie` is kept by the browser alone."""
    if isinstance(outcome, SecondFactorNeeded):
        return _json(SignInResult(ticket=outcome.ticket, factors=sorted(outcome.factors)))
    response = _json(
        SignInResult(
            user=shown_user(outcome.user),
            session=shown_session(outcome.session, current_id=outcome.session.id),
            token=outcome.value if kind == "token" else None,
        )
    )
    if kind == "cookie":
        keep_session(request, response, outcome)
    return response


def keep_session(request: Request, response: Response, outcome: SignedIn) -> None:
    """Let the browser keep the session of someone who has just signed in, and that it is a device of theirs."""
    platform, user_id = get_platform(request), outcome.user.id
    lasts = outcome.session.expires_at - utc_now()
    set_cookie(request, response, SESSION_COOKIE, outcome.value, valid_for=lasts)
    if find_known_device(platform, read_cookie(request, DEVICE_COOKIE), user_id=user_id) is None:
        mark = make_device_mark(platform, user_id)
        set_cookie(request, response, DEVICE_COOKIE, mark, valid_for=_DEVICE_KNOWN_FOR)


async def end_previous_session(request: Request) -> None:
    """End the session that a browser had before it signed in again."""
    if value := read_session_cookie(request):
        platform = get_platform(request)
        async with platform.database.transaction() as work:
            await end_session_of_value(platform, work, value, address=client_address(request))


def device_of(request: Request) -> str:
    """What a caller uses, such as `Firefox on Linux`, from its User-Agent."""
    agent = request.headers.get("user-agent", "")
    browser = next((name for name in _BROWSERS if f"{name}/" in agent), "")
    system = next((name for name in _SYSTEMS if name in agent), "")
    if not browser:
        return agent[:60]
    named = _NAMES.get(browser, browser)
    return f"{named} on {_NAMES.get(system, system)}" if system else named


def shown_user(user: User) -> AccountUser:
    """A user as the API shows it to itself."""
    return AccountUser(id=user.id, name=user.name, email=user.email, is_administrator=user.is_administrator)


def shown_session(row: SessionRow, *, current_id: str) -> Session:
    """A session as the API shows it to its user."""
    return Session(
        id=row.id,
        method=row.method,
        device=row.device,
        address=row.address,
        is_current=row.id == current_id,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
    )


def _key(row: SessionRow) -> tuple[datetime, str]:
    return (row.created_at, row.id)


def _json(model: SignInResult) -> Response:
    return Response(model.model_dump_json(), 201, media_type=JSON_MEDIA_TYPE)
