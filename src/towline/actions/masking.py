"""Masking: no known secret leaves in a log line, an error or an event."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "••••••"
_SHORTEST: Final = 4
_SHORTEST_ENCODED: Final = 8
_ESCAPED: Final = re.compile(r"%[0-9A-F]{2}")
# By how many bytes before it a secret is moved within base64's groups of three, and the characters they take part in.
_ALIGNMENTS: Final = ((0, 0), (1, 2), (2, 3))


class Masker:
    """Replaces known secrets, each line of those with several, and their forms in JSON, URLs and base64."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._longest_first: list[str] = []
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these from now on as well; values shorter than four characters are not maskable."""
        for secret in secrets:
            self._forms.update(form for form in _forms(secret) if len(form) >= _SHORTEST)
        self._longest_first = sorted(self._forms, key=lambda form: (-len(form), form))

    def mask(self, text: str, *, goes_on: bool = False, went_on: bool = False) -> str:
        """The text with every known secret replaced.

        Of a line that comes in pieces, `goes_on` says that this is not the last and `went_on` not the first: then also
        the part of a secret that stands at that end.
        """
        for form in self._longest_first:
            if form in text:
                text = text.replace(form, MASK)
        if went_on:
            text = self._without_end_of_secret(text)
        return self._without_begin_of_secret(text) if goes_on else text

    def _without_begin_of_secret(self, text: str) -> str:
        cut = max((_overlap(text, form) for form in self._longest_first), default=0)
        return text[:-cut] + MASK if cut else text

    def _without_end_of_secret(self, text: str) -> str:
        cut = max((_overlap(form, text) for form in self._longest_first), default=0)
        return MASK + text[cut:] if cut else text


def _overlap(before: str, after: str) -> int:
    """How much of the end of `before` is the beginning of `after`: one character is enough to give a border away."""
    longest = min(len(before), len(after) - 1) if len(after) > 1 else 0
    return next((size for size in range(longest, 0, -1) if before.endswith(after[:size])), 0)


def _forms(secret: str) -> Iterator[str]:
    yield secret.strip()
    for line in secret.splitlines():
        yield line.strip()
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    data = secret.encode(errors="surrogatepass")
    for quoted in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield quoted
        yield _ESCAPED.sub(lambda found: found[0].lower(), quoted)
    if len(data) >= _SHORTEST_ENCODED:
        yield from _base64_forms(data)


def _base64_forms(data: bytes) -> Iterator[str]:
    """What is the same wherever the secret stands in what was encoded, as in `Basic` credentials."""
    for bytes_before, characters_before in _ALIGNMENTS:
        total = bytes_before + len(data)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * bytes_before + data).decode().rstrip("=")
            yield whole[characters_before : len(whole) - (total % 3 > 0)]
