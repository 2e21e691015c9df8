"""One push at a time to each repository, whichever process serves it."""

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Final

from towline.errors import TimedOut

_LOOK_SECONDS: Final = 0.2


class RepositoryLock:
    """A lock file, held until it is released or this process is gone."""

    def __init__(self, path: Path, *, longest_seconds: float) -> None:
        self._path = path
        self._longest_seconds = longest_seconds
        self._file: int | None = None

    def try_to_take(self) -> bool:
        """Whether it could be taken at once, or is held already."""
        if self._file is not None:
            return True
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    async def take(self) -> None:
        """Return once it is held; TimedOut when the one who has it does not let go in time."""
        try:
            async with asyncio.timeout(self._longest_seconds):
                while True:
                    if self.try_to_take():
                        return
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError as error:
            raise TimedOut("The push before this one does not come to its end.", hint="Push again later.") from error

    def release(self) -> None:
        """Let go; done when it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
