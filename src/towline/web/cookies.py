"""Cookies of people who signed in: the session, and the mark of a device that its user has signed in from before."""

from datetime import timedelta
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

from towline.web.addresses import is_secure

SESSION_COOKIE: Final = "towline_session"
DEVICE_COOKIE: Final = "towline_device"
_HOST_PREFIX: Final = "__Host-"
"""Browsers take such a cookie only from this very host and over HTTPS: no app on a sibling host can plant one."""


def read_session_cookie(connection: HTTPConnection) -> str:
    """The value of the session in a request's cookies; empty without one."""
    return read_cookie(connection, SESSION_COOKIE)


def read_cookie(connection: HTTPConnection, name: str) -> str:
    """The value of one of Towline's cookies; empty without one."""
    return connection.cookies.get(full_name(connection, name), "")


def set_cookie(connection: HTTPConnection, response: Response, name: str, value: str, *, valid_for: timedelta) -> None:
    """Let the browser keep a value that no script and no other host can read."""
    response.set_cookie(
        full_name(connection, name),
        value,
        max_age=int(valid_for.total_seconds()),
        path="/",
        secure=is_secure(connection),
        httponly=True,
        samesite="lax",
    )


def delete_cookie(connection: HTTPConnection, response: Response, name: str) -> None:
    """Let the browser forget a value."""
    response.delete_cookie(
        full_name(connection, name), path="/", secure=is_secure(connection), httponly=True, samesite="lax"
    )


def full_name(connection: HTTPConnection, name: str) -> str:
    """The name that a cookie has in requests and answers of this connection."""
    return _HOST_PREFIX + name if is_secure(connection) else name
