"""Passwords: hashed by Argon2id in threads, two at a time; checked for strength where one is chosen."""

import asyncio
import unicodedata
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from towline.errors import InvalidInput, Unavailable
from towline.infra.lazily import load
from towline.infra.threads import run_stoppable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST: Final = 10
LONGEST: Final = 256
_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
"""With one lane: what OWASP's Password Storage Cheat Sheet names as the least, fit for a server with 1 GB."""

_AT_ONCE: Final = 2
_MOST_WAITING: Final = 40
_LEAST_SCORE: Final = 3
_SCORED_CHARACTERS: Final = 72
_NOBODYS: Final = f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p=1${'A' * 22}${'A' * 43}"
"""A hash that no password has: checking against it takes as long as against a user's."""

T = TypeVar("T")


class Passwords:
    """Hashes and verifies; memory stays bounded, since no more than two run at once in a process."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The hash to keep, with its salt and parameters."""
        async with self._slot():
            return await _in_thread(lambda: _hasher().hash(_normal(password)))

    async def verify(self, password_hash: str, password: str) -> bool:
        """Whether a password is the one that was hashed; for an empty hash False, after the same time."""
        async with self._slot():
            is_right = await _in_thread(lambda: _is_right(password_hash or _NOBODYS, _normal(password)))
        return is_right and bool(password_hash)

    def is_outdated(self, password_hash: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return _hasher().check_needs_rehash(password_hash)

    async def check_strength(self, password: str, *, words: Sequence[str] = (), field: str = "password") -> None:
        """Return when a password is good enough; InvalidInput saying why it is not.

        `words` are what others know of its user: name, address.
        """
        if not SHORTEST <= len(password) <= LONGEST:
            raise InvalidInput(
                f"The password has {len(password)} characters; it needs {SHORTEST} to {LONGEST}.",
                hint="Take four or more words that have nothing to do with each other.",
                field=field,
            )
        async with self._slot():
            judged = await _in_thread(lambda: _judge(_normal(password), words))
        if judged["score"] < _LEAST_SCORE:
            feedback: Mapping[str, Any] = judged["feedback"]
            reason = str(feedback["warning"]).rstrip(".")
            raise InvalidInput(
                f"The password is too easy to guess{': ' + reason if reason else ''}.",
                hint=" ".join(feedback["suggestions"]) or "Make it longer, with words that nobody would expect.",
                field=field,
            )

    @asynccontextmanager
    async def _slot(self) -> AsyncGenerator[None]:
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("Too many people sign in at this moment.", hint="Try again in a few seconds.")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()


async def _in_thread(work: Callable[[], T]) -> T:
    """The slot is kept until the thread has ended, even when nobody waits any more."""
    return await run_stoppable(lambda _: work())


def _hasher() -> "PasswordHasher":
    hasher: PasswordHasher = load("argon2").PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)
    return hasher


def _is_right(password_hash: str, password: str) -> bool:
    errors = load("argon2.exceptions")
    try:
        return _hasher().verify(password_hash, password)
    except (errors.VerificationError, errors.InvalidHashError):
        return False


def _judge(password: str, words: Sequence[str]) -> Mapping[str, Any]:
    judged: Mapping[str, Any] = load("zxcvbn").zxcvbn(
        password[:_SCORED_CHARACTERS], user_inputs=["towline", *words], max_length=_SCORED_CHARACTERS
    )
    return judged


def _normal(password: str) -> str:
    """Keyboards send the same character in different forms."""
    return unicodedata.normalize("NFKC", password)
