"""Container output: the Engine's multiplexed frames, joined into lines."""

import contextlib
import struct
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from towline.errors import OrchestratorUnavailable
from towline.orchestrators.docker.engine import Engine
from towline.orchestrators.docker.states import find_time
from towline.orchestrators.levels import guess_level
from towline.values import Instance, LogEntry, Stream

LINE_LIMIT: Final = 16 * 1024
_FRAME_LIMIT: Final = 16 * 1024 * 1024
_HEADER: Final = struct.Struct(">BxxxL")
_STREAMS: Final[dict[int, Stream]] = {1: "stdout", 2: "stderr"}


async def follow_logs(
    engine: Engine, container: str, *, since: datetime | None
) -> AsyncGenerator[tuple[Stream, datetime, str]]:
    """Stream, time and text of every line from `since` on (inclusive), until the container ends."""
    params = {"follow": "1", "stdout": "1", "stderr": "1", "timestamps": "1"}
    if since is not None:
        params["since"] = f"{since.timestamp():.6f}"
    async with engine.stream("GET", f"containers/{container}/logs", params=params) as response:
        reader = LogReader()
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

    def feed(self, chunk: bytes) -> Iterator[tuple[Stream, datetime, str]]:
        """Lines that are whole after `chunk`."""
        for number, payload in self._frames.feed(chunk):
            stream = _STREAMS.get(number, "system")
            for at, text in self._joiners.setdefault(stream, LineJoiner()).feed(payload):
                yield stream, at, text

    def flush(self) -> Iterator[tuple[Stream, datetime, str]]:
        """What was left without a line end."""
        for stream, joiner in self._joiners.items():
            for at, text in joiner.flush():
                yield stream, at, text


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
