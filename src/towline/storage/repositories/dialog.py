"""The talk between Towline and the program that git runs before it takes a push."""

import asyncio
import contextlib
import json
import logging
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, cast

from towline.errors import Conflict, InvalidInput, TowlineError
from towline.names import is_git_ref
from towline.storage.base import Push, PushGate, RefChange, Say
from towline.storage.repositories.lock import RepositoryLock

_LONGEST_QUESTION: Final = 1024 * 1024
_LONGEST_LINE: Final = 2000
_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF: Final = re.compile(r"refs/(?:heads|tags)/(.+)", re.DOTALL)
# A terminal obeys what follows these characters.
_CONTROL: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_log = logging.getLogger(__name__)


@asynccontextmanager
async def attended(
    end: socket.socket, gate: PushGate, lock: RepositoryLock, *, repository: Path
) -> AsyncGenerator[None]:
    """Answer at the gate for one run of git until leaving; the lock is left to the caller to release."""
    task = asyncio.create_task(_attend(end, gate, lock, repository=repository), name=f"gate of {repository.name}")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def to_push(line: bytes, *, repository: Path) -> Push:
    """What is pushed; InvalidInput for refs other than branches and tags."""
    content = cast("dict[str, Any]", json.loads(line))
    changes = tuple(_to_change(*change) for change in content["changes"])
    quarantine = Path(str(content["quarantine"])).resolve() if content["quarantine"] else None
    if quarantine is not None and not quarantine.is_relative_to((repository / "objects").resolve()):
        raise InvalidInput("The objects of the push are not where they belong.")
    return Push(changes, quarantine)


def to_line(text: str) -> str:
    """A line that can be shown in a terminal: nothing in it is obeyed, and it is not endless."""
    return _CONTROL.sub("", text)[:_LONGEST_LINE]


async def _attend(end: socket.socket, gate: PushGate, lock: RepositoryLock, *, repository: Path) -> None:
    reader, writer = await asyncio.open_connection(sock=end, limit=_LONGEST_QUESTION)

    async def say(text: str) -> None:
        for line in text.splitlines() or [""]:
            writer.write(f"say {to_line(line)}\n".encode(errors="replace"))
        # Gone with git itself, when the pusher went away: what was begun is brought to its end all the same.
        with contextlib.suppress(ConnectionError):
            await writer.drain()

    try:
        while line := await reader.readline():
            is_in = await _answer(line, say, gate, lock, repository=repository)
            writer.write(b"end 0\n" if is_in else b"end 1\n")
            await writer.drain()
    except (ConnectionError, ValueError) as error:
        _log.info("The talk with git about a push to %s ended: %s", repository.name, error)
    finally:
        writer.close()


async def _answer(line: bytes, say: Say, gate: PushGate, lock: RepositoryLock, *, repository: Path) -> bool:
    try:
        push = to_push(line, repository=repository)
        if not lock.try_to_take():
            await gate.arrive(push, say)
            await say("Waiting for another push to this service to end.")
            await lock.take()
        await asyncio.to_thread(_check_fresh, push, repository)
        return await gate.decide(push, say)
    except TowlineError as error:
        await say(error.message)
        await say(error.hint)
    except Exception:
        _log.exception("A push to %s failed unexpectedly", repository.name)
        await say("Towline itself failed; its log says more.")
    return False


def _to_change(old: str, new: str, name: str) -> RefChange:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("A branch or tag has a name that is not valid UTF-8.", hint="Rename it.") from error
    found = _REF.fullmatch(name)
    if found is None or not is_git_ref(found[1]) or not _ID.fullmatch(old) or not _ID.fullmatch(new):
        raise InvalidInput(f"{name[:200]!r} is not the name of a branch or tag.", hint="Push branches and tags only.")
    return RefChange(name, old.strip("0") and old, new.strip("0") and new)


def _check_fresh(push: Push, repository: Path) -> None:
    """Conflict when another push has moved a branch since this one began; git would find out after all is done."""
    for change in push.changes:
        if _read_ref(repository, change.name) not in {change.old, None}:
            raise Conflict(
                f"{change.name.split('/', 2)[2][:200]} was moved by another push meanwhile.",
                hint="Fetch, then push again.",
            )


def _read_ref(repository: Path, name: str) -> str | None:
    """Where a ref leads by its own file; None where git keeps it elsewhere, and empty when it is new."""
    try:
        return (repository / name).read_text().strip()
    except FileNotFoundError:
        return None if _is_packed(repository, name) else ""
    except OSError:
        return None


def _is_packed(repository: Path, name: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return f" {name}\n".encode() in (repository / "packed-refs").read_bytes()
    return False
