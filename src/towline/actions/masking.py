"""Masking: no known secret leaves in a log line, an error or an event."""

import base64
import re
from collections.abc import Iterable
from typing import Final

MASK: Final = "••••••"
_SHORTEST: Final = 4


class Masker:
    """Replaces known secrets; each line of a secret with several lines counts, so do its usual encodings."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these from now on as well; values shorter than four characters are not maskable."""
        for secret in secrets:
            self._known.update(part for part in _forms(secret) if len(part) >= _SHORTEST)
        longest_first = sorted(self._known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def mask(self, text: str) -> str:
        """The text with every known secret replaced."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)


def _forms(secret: str) -> Iterable[str]:
    yield secret.strip()
    for line in secret.splitlines():
        yield line.strip()
    if len(secret) >= 8:
        yield base64.b64encode(secret.encode()).decode().rstrip("=")
