"""What a person at a terminal sees, on a real pseudo-terminal."""

import os
import pty
import re
import subprocess
import sys

import pytest

from towline.cli.output import safe_line

_PROGRAM = """
import time
from towline.cli.spinner import Spinner
from towline.cli.output import Output
with Spinner(is_shown=True) as spinner:
    spinner.say("building: fetch")
    time.sleep(0.5)
    spinner.write("\\x1b[31ma red line\\x1b[0m\\x1b[2J")
Output(is_json=False).say(Output(is_json=False).coloured("success"))
"""


def _run_at_a_terminal(**environment: str) -> str:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], stdout=theirs, env={**os.environ, "TERM": "xterm", **environment}
    )
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 4096):
            seen += chunk
    except OSError:  # Linux says EIO when the other side is closed
        pass
    finally:
        os.close(ours)
    assert child.wait(20) == 0
    return seen.decode()


def test_spinner_turns_below_the_lines() -> None:
    seen = _run_at_a_terminal(NO_COLOR="")
    assert re.search(r"building: fetch 0\.[1-5] s", seen)
    assert "\r\x1b[2K\x1b[31ma red line\x1b[0m[2J\r\n" in seen
    assert seen.endswith("\r\x1b[2K\x1b[32msuccess\x1b[0m\r\n")


def test_no_color_is_respected() -> None:
    seen = _run_at_a_terminal(NO_COLOR="1")
    assert "a red line[2J\r\n" in seen
    assert seen.endswith("success\r\n")
    assert "\x1b[3" not in seen


def test_dumb_terminal_gets_plain_lines() -> None:
    assert _run_at_a_terminal(TERM="dumb") == "a red line[2J\r\nsuccess\r\n"


@pytest.mark.parametrize("keeps_colours", [True, False])
def test_window_title_cannot_be_set(keeps_colours: bool) -> None:
    assert "\x1b" not in safe_line("\x1b]0;title\x07", keeps_colours=keeps_colours)
