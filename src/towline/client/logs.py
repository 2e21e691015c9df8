"""Following a log over HTTP: resumes at the next line whenever the stream is cut."""

import time
from collections.abc import Callable, Iterator
from typing import Final

import httpx2

from towline.client.connection import Call, Connection
from towline.contract.logs import NDJSON_MEDIA_TYPE, LogEntry, LogQuery
from towline.errors import TimedOut, Unavailable

SILENCE_SECONDS: Final = 45.0
"""The server sends at least an empty line every 15 seconds; three missed ones mean a dead stream."""

_MOST_FAILURES: Final = 8
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 3.0


def follow_log(connection: Connection, call: Call, *, is_over: Callable[[], bool]) -> Iterator[LogEntry]:
    """The lines of a log as they are written, each once and in order, until it `is_over` and read to its end.

    The end of a stream is only an interruption while the log is not over (a server that restarts ends streams, too).
    Raises Unavailable or TimedOut after several tries in a row that brought no line.
    """
    query = _following(call.query)
    failures = 0
    was_over = False
    while True:
        try:
            for entry in _stream(connection, Call(call.operation, call.path, query=query)):
                failures = 0
                query = query.model_copy(update={"since": str(entry.sequence + 1), "tail": None})
                yield entry
            if was_over:
                return
            was_over = is_over()
            failures = 0
        except (Unavailable, TimedOut):
            failures += 1
            if failures > _MOST_FAILURES:
                raise
        if not was_over:
            time.sleep(min(_FIRST_PAUSE * 2**failures, _LONGEST_PAUSE))


def _following(query: object) -> LogQuery:
    chosen = query if isinstance(query, LogQuery) else LogQuery()
    return chosen.model_copy(update={"follow": True})


def _stream(connection: Connection, call: Call) -> Iterator[LogEntry]:
    timeout = httpx2.Timeout(10, read=SILENCE_SECONDS)
    with connection.stream(call, headers={"Accept": NDJSON_MEDIA_TYPE}, timeout=timeout) as response:
        for line in response.iter_lines():
            if line.strip():
                yield LogEntry.model_validate_json(line, extra="ignore")
