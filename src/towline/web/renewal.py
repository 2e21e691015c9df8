"""Sessions by cookie whose user may do other things than before get another value along with the next answer."""

import logging
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from towline.actions.platform import Platform
from towline.actions.sessions import NewSession, renew_session
from towline.errors import TowlineError
from towline.models.base import utc_now
from towline.web.cookies import SESSION_COOKIE, full_name, set_cookie

_RENEWED: Final = "towline.renewed"
"""Where a request keeps the value its cookie had, and the session under its new one."""

_log = logging.getLogger(__name__)


async def renew(connection: HTTPConnection, value: str) -> str:
    """Give the session of a request's cookie another value, which its answer brings; the value that holds from now on.

    A request whose answer cannot bring it, and one that comes second, keep the value they came with.
    """
    if connection.scope["type"] != "http":
        return value
    platform: Platform = connection.app.state.platform
    try:
        renewed = await renew_session(platform, value)
    except TowlineError as error:
        # Reading goes on where nothing can be written; the next request tries again.
        _log.warning("A session was not renewed: %s", error)
        return value
    if renewed is None:
        return value
    connection.scope[_RENEWED] = (value, renewed)
    return renewed.value


def newest_value(connection: HTTPConnection, value: str) -> str:
    """The value of a session after this request has renewed it: for what a page asks of operations within it."""
    known: tuple[str, NewSession] | None = connection.scope.get(_RENEWED)
    return known[1].value if known is not None and known[0] == value else value


def add_renewed(scope: Scope, headers: MutableHeaders) -> None:
    """Let the answer bring the session's new value, unless it sets or deletes the cookie itself."""
    known: tuple[str, NewSession] | None = scope.get(_RENEWED)
    if known is None:
        return
    connection, session = HTTPConnection(scope), known[1].session
    own = f"{full_name(connection, SESSION_COOKIE)}="
    if any(line.startswith(own) for line in headers.getlist("set-cookie")):
        return
    carrier = Response()
    lasts = session.expires_at - utc_now()
    set_cookie(connection, carrier, SESSION_COOKIE, known[1].value, valid_for=lasts)
    headers.append("set-cookie", carrier.headers["set-cookie"])
