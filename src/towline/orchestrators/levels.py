"""Guesses the level of a log line from how common loggers write it."""

import re
from typing import Final

from towline.values import Level

_LOOKED_AT: Final = 300
_WORDS: Final[dict[str, Level]] = {
    "trace": "debug",
    "debug": "debug",
    "info": "info",
    "notice": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
    "err": "error",
    "critical": "error",
    "crit": "error",
    "fatal": "error",
    "panic": "error",
    "alert": "error",
    "emergency": "error",
}
_FIELD: Final = re.compile(r'"(?:level|severity|lvl|levelname|log\.level)"\s*:\s*"?(\w+)', re.IGNORECASE)
_LOGFMT: Final = re.compile(r"(?:^|\s)(?:level|lvl|severity)=\"?(\w+)", re.IGNORECASE)
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_NAMES: Final = "|".join(sorted(_WORDS, key=len, reverse=True))
_START: Final = re.compile(
    # a time or other punctuation and digits may stand first; a word in small letters counts only with ':' or ']'
    rf"^[\s\d\[\]().,:/TZ+|-]{{0,60}}\b(?:(?P<loud>{_NAMES.upper()})\b|(?P<soft>(?i:{_NAMES}))(?=\s*[:\]]))"
)
_TRACEBACK: Final = ("Traceback (most recent call last)", "panic: ", "Exception in thread")


def guess_level(line: str) -> Level:
    """The level a line names itself: a JSON or logfmt field, or a word at its start; `info` otherwise.

    Numbers are those of pino and bunyan (10 trace … 60 fatal).
    """
    start = _COLOURS.sub("", line[:_LOOKED_AT])
    if start.startswith(_TRACEBACK):
        return "error"
    pattern = _FIELD if start.lstrip().startswith("{") else _LOGFMT
    found = pattern.search(start)
    if found is not None:
        return _named(found[1].lower())
    word = _START.match(start)
    return "info" if word is None else _named((word["loud"] or word["soft"]).lower())


def _named(word: str) -> Level:
    if word.isdecimal():
        number = int(word)
        return "error" if number >= 50 else "warning" if number >= 40 else "info" if number >= 30 else "debug"
    return _WORDS.get(word, "info")
