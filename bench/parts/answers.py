"""Asking an address again and again until it answers as wanted."""

import contextlib
import http.client
import time
from collections.abc import Callable

_INTERVAL = 0.01
"""Each question makes the app's web server start a process, on the CPUs that the build is measured on."""


def wait_for_answer(
    address: str,
    port: int,
    is_wanted: Callable[[bytes], bool],
    *,
    host: str = "",
    path: str = "/",
    timeout: float = 60,
) -> float:
    """The monotonic time of the first 200 whose body is wanted; the asking costs little and keeps its connection."""
    deadline = time.monotonic() + timeout
    connection = http.client.HTTPConnection(address, port, timeout=5)
    headers = {"Host": host} if host else {}
    try:
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if is_wanted(_ask(connection, path, headers)):
                    return time.monotonic()
            assert time.monotonic() < deadline, f"{host or address}:{port}{path} did not answer within {timeout} s"
            time.sleep(_INTERVAL)
    finally:
        connection.close()


def _ask(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> bytes:
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        raise
    if answer.status != 200:
        raise http.client.HTTPException(str(answer.status))
    return body
