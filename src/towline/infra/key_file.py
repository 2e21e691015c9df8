"""The key file: a line for each sealing key, newest first, for the eyes of its owner alone."""

import base64
import binascii
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from towline.errors import KeyMismatch

KEY_ID_LENGTH = 8
_HEADER = "towline-key-1"
_KEY_LENGTH = 32


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One 256-bit key and the first 8 bytes of its SHA-256, which sealed values name it by."""

    identifier: bytes
    key: bytes


class KeyFile:
    """Reads and replaces the file. Whoever changes it holds a lock on its folder, and renames a whole file into place.

    Its functions block for as long as the disk takes: seldom used ones belong into a thread.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        """Whether there is a file."""
        return self.path.exists()

    def stamp(self) -> tuple[int, int, int]:
        """What differs between any two files that were here: inode, time and size; KeyMismatch without a file."""
        try:
            facts = self.path.stat()
        except OSError as error:
            raise KeyMismatch(f"The key file {self.path} cannot be read: {error.strerror}.") from error
        return facts.st_ino, facts.st_mtime_ns, facts.st_size

    def read(self) -> Sequence[SealingKey]:
        """Its keys, the one that seals first; KeyMismatch when there is none."""
        try:
            lines = self.path.read_text().splitlines()
            keys = tuple(_parse(line) for line in lines if line.startswith(_HEADER))
        except OSError as error:
            raise KeyMismatch(f"The key file {self.path} cannot be read: {error.strerror}.") from error
        except (ValueError, IndexError, binascii.Error) as error:
            raise KeyMismatch(f"The key file {self.path} is damaged.") from error
        if not keys:
            raise KeyMismatch(f"The key file {self.path} holds no key.")
        return keys

    def check_mode(self) -> None:
        """KeyMismatch when anyone but its owner may read or change it."""
        mode = stat.S_IMODE(self.path.stat().st_mode)
        if mode & 0o077:
            raise KeyMismatch(
                f"The key file {self.path} is open to others (mode {mode:04o}).",
                hint=f"Run `chmod 600 {self.path}`; if others could read it, run `towline secrets rotate` afterwards.",
            )

    def create(self) -> None:
        """Make the file with one fresh key when there is none."""
        if self.exists():
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            if not self.exists():
                self._write([_new_key()])

    def add(self, *, instead_of: bytes) -> bool:
        """Put a fresh key first, unless the first one is another than `instead_of` by now; whether it was done."""
        with self._locked():
            keys = self.read()
            if keys[0].identifier != instead_of:
                return False
            self._write([_new_key(), *keys])
        return True

    def drop(self, identifiers: Sequence[bytes]) -> None:
        """Take keys out of the file; never the one that seals."""
        with self._locked():
            first, *others = self.read()
            self._write([first, *(key for key in others if key.identifier not in identifiers)])

    def _write(self, keys: Sequence[SealingKey]) -> None:
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.writelines(f"{_HEADER} {base64.b64encode(key.key).decode()}\n" for key in keys)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
        with self._folder() as folder:
            os.fsync(folder)

    @contextmanager
    def _locked(self) -> Generator[None]:
        with self._folder() as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _folder(self) -> Generator[int]:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield folder
        finally:
            os.close(folder)


def _parse(line: str) -> SealingKey:
    key = base64.b64decode(line.split()[1], validate=True)
    if len(key) != _KEY_LENGTH:
        raise ValueError(len(key))
    return SealingKey(hashlib.sha256(key).digest()[:KEY_ID_LENGTH], key)


def _new_key() -> SealingKey:
    key = secrets.token_bytes(_KEY_LENGTH)
    return SealingKey(hashlib.sha256(key).digest()[:KEY_ID_LENGTH], key)
