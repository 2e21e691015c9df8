"""Multiplexed frames become lines."""

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline.errors import OrchestratorUnavailable
from towline.orchestrators.docker.logs import LINE_LIMIT, LogReader

STAMP = b"2026-01-02T03:04:05.123456789Z "
AT = datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)


def frame(text: bytes, *, stream: int = 1, stamp: bytes = STAMP) -> bytes:
    """One message as the Engine frames it."""
    payload = stamp + text
    return struct.pack(">BxxxL", stream, len(payload)) + payload


def read(*chunks: bytes) -> list[tuple[str, str]]:
    """Stream and text of every line."""
    reader = LogReader()
    lines = [line for chunk in chunks for line in reader.feed(chunk)]
    return [(stream, text) for stream, _, text in [*lines, *reader.flush()]]


def test_streams_are_told_apart_and_times_are_kept() -> None:
    reader = LogReader()
    lines = list(reader.feed(frame(b"out\n") + frame(b"err\r\n", stream=2)))
    assert lines == [("stdout", AT, "out"), ("stderr", AT, "err")]


def test_a_line_in_several_frames_is_one_line_even_between_lines_of_the_other_stream() -> None:
    assert read(frame(b"one "), frame(b"other\n", stream=2), frame(b"line\n")) == [
        ("stderr", "other"),
        ("stdout", "one line"),
    ]


def test_empty_lines_and_a_last_line_without_end_are_kept() -> None:
    assert read(frame(b"\n"), frame(b"no end")) == [("stdout", ""), ("stdout", "no end")]


def test_a_very_long_line_comes_in_pieces_that_never_cut_a_character() -> None:
    line = ("é" * 20_000).encode()
    parts = [line[start : start + 16_384] for start in range(0, len(line), 16_384)]
    texts = [text for _, text in read(*(frame(part) for part in parts), frame(b"\n"), frame(b"next\n"))]
    assert "".join(texts[:-1]) == "é" * 20_000
    assert all(len(text.encode()) <= LINE_LIMIT for text in texts)
    assert texts[-1] == "next"


def test_a_line_of_exactly_the_limit_is_one_line() -> None:
    assert [len(text) for _, text in read(frame(b"x" * LINE_LIMIT), frame(b"\n"))] == [LINE_LIMIT]


def test_bytes_that_are_no_text_are_shown_as_replacements() -> None:
    assert read(frame(b"\xff\xfe\n")) == [("stdout", "\ufffd\ufffd")]


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(OrchestratorUnavailable):
        read(b"HTTP/1.1 200 OK")


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=60), max_size=8),
    st.integers(1, 50),
)
def test_where_the_bytes_are_cut_changes_nothing(lines: list[str], size: int) -> None:
    sent = b"".join(frame(line.encode() + b"\n") for line in lines)
    chunks = [sent[start : start + size] for start in range(0, len(sent), size)]
    assert [text for _, text in read(*chunks)] == lines


def stamp_of(number: int) -> bytes:
    """The time of a message: each is shared by three."""
    return b"2026-01-02T03:04:05.%09dZ " % (number // 3)


@given(st.lists(st.sampled_from([1, 2]), max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_what_is_read_again_after_the_stream_ended_early_comes_once(streams: list[int], end: int, start: int) -> None:
    frames = [frame(b"%d\n" % number, stream=stream, stamp=stamp_of(number)) for number, stream in enumerate(streams)]
    # from a moment before the last one that was read: whole stamps
    start = min(start, end, len(frames)) // 3 * 3
    reader = LogReader()
    first = list(reader.feed(b"".join(frames[:end])))
    reader.begin_again()
    rest = list(reader.feed(b"".join(frames[start:])))
    assert [int(text) for _, _, text in first + rest] == list(range(len(frames)))
