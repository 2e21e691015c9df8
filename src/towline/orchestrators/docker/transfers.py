"""Pulls and pushes: the Engine's progress messages, bounded in silence and reported as lines."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from towline.errors import SourceUnavailable, TowlineError
from towline.orchestrators.docker.engine import Document, Engine, section
from towline.orchestrators.docker.references import registry_failure
from towline.values import Report

SILENCE_SECONDS: Final = 120.0
"""A registry that says nothing for so long is given up."""
_PROGRESS_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """One pull or push of `reference`; `first_seconds` is how long the registry may take to say anything."""

    reference: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    first_seconds: float = SILENCE_SECONDS

    async def run(self, engine: Engine, *, report: Report) -> Document:
        """Carry it out; return the message with `aux` (a push's digest) if any. Raises as registry_failure says."""
        last = Document()
        progress = ProgressReport(report)
        try:
            async with asyncio.timeout(self.first_seconds) as patience, aclosing(self._messages(engine)) as messages:
                async for message in messages:
                    patience.reschedule(asyncio.get_running_loop().time() + SILENCE_SECONDS)
                    if reason := message.get("error"):
                        raise registry_failure(self.reference, str(reason))
                    last = message if "aux" in message else last
                    await progress.add(message)
        except TimeoutError as error:
            raise SourceUnavailable(f"The registry of the image {self.reference} does not answer.") from error
        return last

    async def _messages(self, engine: Engine) -> AsyncGenerator[Document]:
        pending = b""
        async with engine.stream(
            "POST", self.path, params=self.params, headers=self.headers, refusal=self._refusal
        ) as response:
            async for chunk in response.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)

    def _refusal(self, _status: int, message: str) -> TowlineError:
        return registry_failure(self.reference, message)


class ProgressReport:
    """Reports messages as lines; counts of bytes at most every two seconds."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._counted_at = 0.0

    async def add(self, message: Document) -> None:
        """Report the message unless it only counts bytes and another did so a moment ago."""
        line = progress_line(message)
        if not line:
            return
        if section(message, "progressDetail"):
            now = time.monotonic()
            if now - self._counted_at < _PROGRESS_SECONDS:
                return
            self._counted_at = now
        await self._report(line)


def progress_line(message: Document) -> str:
    """One message of a pull or push as people read it."""
    line = ": ".join(part for part in (message.get("id", ""), message.get("status", "")) if part)
    detail = section(message, "progressDetail")
    if total := detail.get("total"):
        return f"{line} {detail.get('current', 0) / 1e6:.1f} of {total / 1e6:.1f} MB"
    return line
