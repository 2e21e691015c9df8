"""HTTP: the answer to every way of signing in, and the sessions it opened."""

from datetime import timedelta
from typing import Final, Literal

from fastapi import Request
from starlette.responses import Response

from towline.actions.sign_in import SecondFactorNeeded, SignedIn
from towline.contract.account import AccountUser
from towline.contract.operations import JSON_MEDIA_TYPE
from towline.contract.sessions import Session, SignInResult
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.sessions import Session as SessionRow
from towline.web.cookies import SESSION_COOKIE, set_cookie

_BROWSERS: Final = ("Firefox", "Edg", "OPR", "Chrome", "Safari")
_SYSTEMS: Final = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
_NAMES: Final = {"Edg": "Edge", "OPR": "Opera", "Mac OS": "macOS"}


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
    """Let the browser keep the session of someone who has just signed in."""
    lasts = outcome.session.expires_at - utc_now()
    set_cookie(request, response, SESSION_COOKIE, outcome.value, valid_for=max(lasts, timedelta(seconds=1)))


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


def _json(model: SignInResult) -> Response:
    return Response(model.model_dump_json(), 201, media_type=JSON_MEDIA_TYPE)
