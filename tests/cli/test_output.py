"""Texts for people: sizes, times, tables, dotenv lines, settings."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from towline.cli.output import Output, ago, safe_line, shown, size_text
from towline.cli.service_options import read_health, read_size, settings_from
from towline.errors import InvalidInput
from towline.project_files.dotenv import read_lines

_NOW = datetime(2026, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 s ago"), (120, "2 min ago"), (7200, "2 h ago"), (200_000, "2 d ago"), (-300, "in 5 min")],
)
def test_times_are_told_from_now(seconds: int, text: str) -> None:
    assert ago(_NOW - timedelta(seconds=seconds), now=_NOW) == text


@pytest.mark.parametrize(("size", "text"), [(999, "999 B"), (1500, "1.5 kB"), (2_500_000, "2.5 MB"), (3e12, "3.0 TB")])
def test_sizes_have_units(size: float, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("text", "size"), [("512M", 512_000_000), ("1.5g", 1_500_000_000), ("64MiB", 64 * 2**20), ("1000", 1000)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "many", "5X", "-1", "5i", "1e9"])
def test_sizes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_size(text)


def test_health_checks_are_read() -> None:
    assert read_health("/up") == {"kind": "http", "path": "/up"}
    assert read_health("tcp") == {"kind": "tcp"}
    assert read_health("command:sh -c 'a b'") == {"kind": "command", "command": ["sh", "-c", "a b"]}


def test_any_field_can_be_set() -> None:
    fields = settings_from(["drain_seconds=5", "target=final", 'health={"kind":"tcp"}'], port=80, cpus=None)
    assert fields == {"port": 80, "drain_seconds": 5, "target": "final", "health": {"kind": "tcp"}}
    with pytest.raises(InvalidInput, match="not of the form"):
        settings_from(["drain_seconds"])


def test_build_secret_must_be_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "a=b")
    assert settings_from(None, build_secrets=["TOKEN", "OTHER=c"])["build_secrets"] == {"TOKEN": "a=b", "OTHER": "c"}
    with pytest.raises(InvalidInput, match="no MISSING_TOKEN"):
        settings_from(None, build_secrets=["MISSING_TOKEN"])


@settings(deadline=None)
@given(text=st.text())
def test_no_line_can_command_a_terminal(text: str) -> None:
    assert not any(
        ord(character) < 32 and character not in "\t\n" for character in safe_line(text, keeps_colours=False)
    )
    assert "\x1b" not in safe_line(text, keeps_colours=True).replace("\x1b[", "")


def test_colours_may_stay() -> None:
    assert safe_line("\x1b[31mred\x1b[0m\x1b[2J\x07", keeps_colours=True) == "\x1b[31mred\x1b[0m[2J"


def test_values_are_shown_on_one_line() -> None:
    assert [shown(value) for value in (None, True, [], ["a", 1], "x\ny\x1b[2J")] == ["-", "yes", "-", "a, 1", "x y[2J"]


def test_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("api", 1), ("frontend", 20)]
    Output(is_json=False).models(rows, {"name": lambda row: row[0], "count": lambda row: row[1]}, nothing="none")
    assert capsys.readouterr().out == "NAME      COUNT\napi       1\nfrontend  20\n"


@settings(deadline=None)
@given(value=st.text(alphabet=st.characters(blacklist_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029'\"")))
def test_dotenv_values_in_single_quotes_are_kept_exactly(value: str) -> None:
    assert list(read_lines([f"A='{value}'"], where="x")) == [("A", value)]
