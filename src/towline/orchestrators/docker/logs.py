"""Container output: the Engine's multiplexed frames, joined into lines."""

import contextlib
import struct
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Final

import aiohttp

from towline.errors import NotFound, OrchestratorUnavailable
from towline.orchestrators.docker.engine import Engine
from towline.orchestrators.docker.states import find_time
from towline.orchestrators.levels import guess_level
from towline.values import Instance, LogEntry, Stream

LINE_LIMIT: Final = 16 * 1024
_FRAME_LIMIT: Final = 16 * 1024 * 1024
_HEADER: Final = struct.Struct(">BxxxL")
_LOOK_BACK: Final = timedelta(seconds=1)
"""Messages of the two streams may be kept in another order than that of their times."""
_READ_SECONDS: Final = 60.0
_STREAMS: Final[dict[int, Stream]] = {1: "stdout", 2: "stderr"}


async def follow_logs(
    engine: Engine, container: str, *, since: datetime | None
) -> AsyncGenerator[tuple[Stream, datetime, str]]:
    """Stream, time and text of every line from `since` on (inclusive), until the container ends."""
    reader = LogReader()
    async with _open_logs(engine, container, since=since, follow=True) as response:
        async for chunk in response.content.iter_any():
            for line in reader.feed(chunk):
                yield line
    # On a busy machine the Engine ends the stream with the container, before all that it printed was sent.
    last = reader.begin_again()
    with contextlib.suppress(NotFound):
        async with _open_logs(engine, container, since=last - _LOOK_BACK if last else since) as response:
            async for chunk in response.content.iter_any():
                for line in reader.feed(chunk):
                    yield line
    for line in reader.flush():
        yield line


async def get_logs(engine: Engine, container: str, *, tail: int) -> Sequence[tuple[Stream, datetime, str]]:
    """Stream, time and text of the last `tail` lines, oldest first."""
    params = {"stdout": "1", "stderr": "1", "timestamps": "1", "tail": str(tail)}
    async with engine.stream("GET", f"containers/{container}/logs", params=params, timeout_seconds=60) as response:
        reader = LogReader()
        lines = [line async for chunk in response.content.iter_any() for line in reader.feed(chunk)]
        return [*lines, *reader.flush()][-tail:] if tail else []


def _open_logs(
    engine: Engine, container: str, *, since: datetime | None, follow: bool = False
) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    params = {"stdout": "1", "stderr": "1", "timestamps": "1", "follow": "1" if follow else "0"}
    if since is not None:
        params["since"] = f"{since.timestamp():.6f}"
    limit = None if follow else _READ_SECONDS
    return engine.stream("GET", f"containers/{container}/logs", params=params, timeout_seconds=limit)


def to_entry(line: tuple[Stream, datetime, str], *, instance: Instance) -> LogEntry:
    """The log entry of one line of an instance."""
    stream, at, text = line
    return LogEntry(at=at, message=text, stream=stream, level=guess_level(text), instance_id=instance.id)


class FrameReader:
    """Cuts the Engine's multiplexed bytes into (stream number, payload)."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Whole frames after `chunk`; OrchestratorUnavailable when the bytes are no frames."""
        self._pending += chunk
        position = 0
        while len(self._pending) - position >= _HEADER.size:
            number, length = _HEADER.unpack_from(self._pending, position)
            if number > 3 or length > _FRAME_LIMIT:
                raise OrchestratorUnavailable("Docker sent output that is not in its own stream format.")
            end = position + _HEADER.size + length
            if len(self._pending) < end:
                break
            yield number, bytes(self._pending[position + _HEADER.size : end])
            position = end
        del self._pending[:position]


class LogReader:
    """Turns multiplexed frames that carry timestamps into lines, each stream on its own."""

    def __init__(self) -> None:
        self._frames = FrameReader()
        self._joiners: dict[Stream, LineJoiner] = {}
        self._places: dict[int, _Place] = {}

    def feed(self, chunk: bytes) -> Iterator[tuple[Stream, datetime, str]]:
        """Lines that are whole after `chunk`."""
        for number, payload in self._frames.feed(chunk):
            if not self._places.setdefault(number, _Place()).passes(payload.partition(b" ")[0]):
                continue
            stream = _STREAMS.get(number, "system")
            for at, text in self._joiners.setdefault(stream, LineJoiner()).feed(payload):
                yield stream, at, text

    def begin_again(self) -> datetime | None:
        """Pass over what was read already when it is fed once more; the time of the newest message, None before any."""
        self._frames = FrameReader()
        for place in self._places.values():
            place.begin_again()
        return _time(max((place.stamp for place in self._places.values()), default=b""))

    def flush(self) -> Iterator[tuple[Stream, datetime, str]]:
        """What was left without a line end."""
        for stream, joiner in self._joiners.items():
            for at, text in joiner.flush():
                yield stream, at, text


class _Place:
    """How far one stream was read: the stamp of its newest message, and how many have that same stamp."""

    def __init__(self) -> None:
        self.stamp = b""
        self._count = 0
        self._to_pass_over = 0

    def passes(self, stamp: bytes) -> bool:
        """Whether a message is new. Stamps have one width, so they compare as text."""
        if self._to_pass_over and stamp <= self.stamp:
            self._to_pass_over -= stamp == self.stamp
            return False
        self._to_pass_over = 0
        self._count = self._count + 1 if stamp == self.stamp else 1
        self.stamp = stamp
        return True

    def begin_again(self) -> None:
        self._to_pass_over = self._count


class LineJoiner:
    """Joins the timestamped messages of one stream into lines of at most 16 kB; longer ones come in pieces."""

    def __init__(self) -> None:
        self._pending = b""
        self._at = datetime.fromtimestamp(0, UTC)

    def feed(self, message: bytes) -> Iterator[tuple[datetime, str]]:
        """Lines and pieces that are complete after `message` (`TIME TEXT`)."""
        stamp, _, text = message.partition(b" ")
        at = _time(stamp) or self._at
        if not self._pending:
            self._at = at
        *lines, self._pending = (self._pending + text).split(b"\n")
        for line in lines:
            for piece in _pieces(line):
                yield self._at, _text(piece)
            self._at = at
        if len(self._pending) > LINE_LIMIT:
            *pieces, self._pending = _pieces(self._pending)
            for piece in pieces:
                yield self._at, _text(piece)

    def flush(self) -> Iterator[tuple[datetime, str]]:
        """The rest, when the output ended without a line end."""
        if self._pending:
            yield self._at, _text(self._pending)
            self._pending = b""


def _time(stamp: bytes) -> datetime | None:
    with contextlib.suppress(ValueError):
        return find_time(stamp.decode())
    return None


def _pieces(line: bytes) -> Iterator[bytes]:
    while len(line) > LINE_LIMIT:
        end = LINE_LIMIT
        while end > LINE_LIMIT - 4 and line[end] & 0xC0 == 0x80:  # never cut inside a UTF-8 character
            end -= 1
        yield line[:end]
        line = line[end:]
    yield line


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
