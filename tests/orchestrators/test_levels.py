"""Levels guessed from lines."""

import pytest

from towline.orchestrators.levels import guess_level


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("", "info"),
        ("started", "info"),
        ("ERROR something", "error"),
        ("ERROR:root:boom", "error"),
        ("WARNING: deprecated", "warning"),
        ("warn: deprecated", "warning"),
        ("[warn] slow", "warning"),
        ("[2026-01-02 03:04:05 +0000] [7] [ERROR] worker died", "error"),
        ("2026-01-02T03:04:05.123Z DEBUG x", "debug"),
        ("2026/01/02 03:04:05 [error] 7#7: open() failed", "error"),
        ("\x1b[31mERROR\x1b[0m red", "error"),
        ("INFO:     Application startup complete.", "info"),
        ("error handling is documented", "info"),
        ("Errors: 0", "info"),
        ("no ERROR at the start", "info"),
        ('{"level":"warn","msg":"x"}', "warning"),
        ('{"time":1,"severity":"ERROR"}', "error"),
        ('{"level":50,"msg":"pino"}', "error"),
        ('{"level": 20}', "debug"),
        ('{"msg":"the error"}', "info"),
        ("time=x level=error msg=y", "error"),
        ("Traceback (most recent call last):", "error"),
        ("panic: runtime error", "error"),
    ],
)
def test_a_line_names_its_level(line: str, level: str) -> None:
    assert guess_level(line) == level
