"""The folder that Traefik watches: whole files only, swapped in by rename."""

import contextlib
import os
import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from towline.errors import DiskFull, RouterUnavailable
from towline.names import check_host, to_label
from towline.routing.checks import check_owner

_DISK_FULL = {28, 122}  # ENOSPC, EDQUOT


class RouteFiles:
    """Files by name in one folder; a reader sees the old or the new content, never a part.

    New content is written in a folder beside the watched one: a temporary file inside would be an event of its own
    and use up Traefik's throttle window. Everything is blocking; callers run it in a thread.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._drafts = folder.with_name(f"{folder.name}.new")

    def put(self, name: str, content: bytes) -> bool:
        """Replace a file unless it already holds these bytes; return whether it was written. Mode 0600."""
        if self.find(name) == content:
            return False
        with _translated(self.folder / name):
            self._make_folders()
            draft = self._drafts / f"{name}.{os.getpid()}.{secrets.token_hex(4)}"
            try:
                _write(draft, content)
                draft.replace(self.folder / name)
            finally:
                draft.unlink(missing_ok=True)
        return True

    def remove_leftovers(self) -> None:
        """Remove drafts of processes that died before they could put them in place."""
        with _translated(self._drafts):
            for draft in self._drafts.glob("*.*.*"):
                if not Path("/proc", draft.name.split(".")[-2]).exists():
                    draft.unlink(missing_ok=True)

    def find(self, name: str) -> bytes | None:
        """The content of a file, or None when there is no such file."""
        with _translated(self.folder / name), contextlib.suppress(FileNotFoundError):
            return (self.folder / name).read_bytes()
        return None

    def delete(self, name: str) -> None:
        """Remove a file; done when there is none."""
        with _translated(self.folder / name):
            (self.folder / name).unlink(missing_ok=True)

    def list_owners(self) -> Sequence[str]:
        """Owners that have a file, sorted; files with a dot in their stem are not an owner's."""
        with _translated(self.folder):
            return sorted(path.stem for path in self.folder.glob("*.yml") if "." not in path.stem)

    def read_all(self) -> Sequence[bytes]:
        """The content of every file in the folder."""
        names = [path.name for path in self.folder.glob("*.yml")]
        return [content for name in names if (content := self.find(name)) is not None]

    def _make_folders(self) -> None:
        for folder in (self.folder, self._drafts):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def owner_file(owner: str) -> str:
    """Name of an owner's file."""
    return f"{check_owner(owner)}.yml"


def certificate_file(host: str) -> str:
    """Name of the file that holds a host's own certificate; the dot keeps it apart from owners."""
    return f"certificate.{to_label(check_host(host))}.yml"


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        # After a crash of the machine a renamed but empty file would stop every later change.
        os.fsync(file.fileno())


@contextmanager
def _translated(path: Path) -> Generator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise DiskFull(f"No room on the disk for the route file {path.name}.") from error
        raise RouterUnavailable(f"The route file {path} cannot be used: {error.strerror}.") from error
