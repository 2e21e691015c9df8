"""The contracts of storage: where fetched trees and uploaded archives are kept."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


class Storage(ABC):
    """Keeps bundles (normalised trees as tar.zst files) by content digest; the same content is stored once.

    The digest is the SHA-256 of the uncompressed, normalised tar (sorted names, no times, no owners), so the same tree
    always has the same digest. Writes are atomic: a reader sees a whole bundle or none, also after kill -9. Raises
    NotFound, TooLarge, DiskFull, BundleRejected. A `digest` is `sha256:` and 64 hex digits; anything else raises
    InvalidInput before a path is made of it.
    """

    @abstractmethod
    async def store_tree(self, tree: Path) -> tuple[str, int]:
        """Store a folder as a bundle; return its digest and stored size in bytes."""

    @abstractmethod
    async def upload_deployment_bundle(self, digest: str, chunks: AsyncIterator[bytes]) -> int:
        """Store the normalised tar `chunks` under `digest`, which is verified; return the stored size in bytes."""

    @abstractmethod
    def download_deployment_bundle(self, digest: str) -> AsyncIterator[bytes]:
        """The stored tar.zst in chunks of at most 1 MiB."""

    @abstractmethod
    def open_bundle(self, digest: str) -> AbstractAsyncContextManager[Path]:
        """The unpacked tree of a bundle in a temporary folder, removed on leaving."""

    @abstractmethod
    async def has_bundle(self, digest: str) -> bool:
        """Whether a bundle is stored."""

    @abstractmethod
    async def list_bundles(self) -> Sequence[str]:
        """Digests of every stored bundle."""

    @abstractmethod
    async def cleanup_old_deployments(self, keep: Sequence[str]) -> int:
        """Remove every bundle not in `keep` and older than an hour, and every left-over of a broken write.

        Returns the bytes freed. Which bundles a project keeps (`keep_count`) is decided by actions.artifacts.
        """


class UploadFiles(ABC):
    """Receives archives in pieces and keeps them by content digest until they have been fetched into a bundle.

    An interrupted upload goes on from the offset that `create` returns. Raises InvalidInput (no digest, wrong
    content), NotFound, Conflict (another offset, or another request is writing the same upload), TooLarge, DiskFull.
    """

    @abstractmethod
    async def create(self, size: int, digest: str) -> int:
        """Announce an archive; return how many of its bytes are there already (`size` when it is complete)."""

    @abstractmethod
    async def append(self, digest: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """Write `chunks` at `offset`, which must be where the upload ends now; return the new end.

        What was written before `chunks` failed or the caller was cancelled is kept.
        """

    @abstractmethod
    async def complete(self, digest: str) -> int:
        """Verify the whole and keep it; return its size. A wrong digest discards it. Done when already complete."""

    @abstractmethod
    async def get_upload(self, digest: str) -> tuple[int, int]:
        """How many bytes are there and how many were announced; equal once complete. NotFound when never announced."""

    @abstractmethod
    async def has_upload(self, digest: str) -> bool:
        """Whether a complete upload is there."""

    @abstractmethod
    def download(self, digest: str) -> AsyncIterator[bytes]:
        """A complete upload in chunks of at most 1 MiB; NotFound when there is none."""

    @abstractmethod
    async def cleanup_uploads(self, keep: Sequence[str]) -> int:
        """Remove what is older than a day: interrupted uploads, and complete ones not in `keep`. The bytes freed."""


@dataclass(frozen=True, slots=True)
class StoredDump:
    """What was stored: SHA-256 (`sha256:…`) and size of the content, and its bytes on the disk."""

    digest: str
    size: int
    stored_size: int


class DumpFiles(ABC):
    """Keeps dumps and snapshots, packed, by name (a-z, 0-9, `_`). Whole or not at all, readable by Towline alone.

    Nothing is held in memory beyond a few pieces. Raises NotFound, TooLarge, DiskFull, InvalidInput.
    """

    @abstractmethod
    async def store(self, name: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> StoredDump:
        """Store everything that comes; nothing stays when `chunks` fails, is too much, or the caller is cancelled."""

    @abstractmethod
    def read(self, name: str) -> AsyncGenerator[bytes]:
        """The content, unpacked."""

    @abstractmethod
    def download(self, name: str) -> AsyncGenerator[bytes]:
        """The content as it is stored, packed by zstd, in chunks of at most 1 MiB."""

    @abstractmethod
    async def delete(self, name: str) -> None:
        """Delete one; done when it is gone."""

    @abstractmethod
    async def clean(self, keep: Collection[str]) -> int:
        """Remove everything not in `keep` and older than an hour, and what dead processes left; the bytes freed."""


@dataclass(frozen=True, slots=True)
class RefChange:
    """One branch or tag of a push, by its full name; empty `old` means that it is new, empty `new` that it goes."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Push:
    """What somebody pushes. New objects are only in `quarantine` as long as nobody has let the push in."""

    changes: tuple[RefChange, ...]
    quarantine: Path | None


Say = Callable[[str], Awaitable[None]]
"""Shows the pusher one line."""


class PushGate(ABC):
    """Lets pushes in or refuses them, while git still holds what was pushed in quarantine."""

    @abstractmethod
    async def arrive(self, push: Push, say: Say) -> None:
        """A push has come, though another one may still be on its way through the gate."""

    @abstractmethod
    async def decide(self, push: Push, say: Say) -> bool:
        """Whether the push is let in, all of it; asked for one push to a repository at a time."""


@dataclass(frozen=True, slots=True)
class GitCall:
    """One request of git's smart HTTP protocol; the texts are the headers of the same names, empty when not sent.

    With `is_listing` it asks for the branches and tags, else it is the fetch or the push itself.
    """

    service: Literal["git-upload-pack", "git-receive-pack"]
    is_listing: bool
    content_encoding: str = ""
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class GitAnswer:
    """How git answers: `chunks` is to be read to its end, or git is stopped on leaving."""

    status: int
    media_type: str
    chunks: AsyncIterator[bytes]


class Repositories(ABC):
    """Keeps bare git repositories by name (a-z, 0-9, `_`), which are pushed to and fetched from by smart HTTP.

    Only branches and tags can be pushed, and nothing is let in but by the gate. Raises NotInstalled (no git),
    InvalidInput, TooLarge, DiskFull, Unavailable.
    """

    @abstractmethod
    async def prepare(self, name: str, *, branch: str) -> None:
        """Make a repository unless it is there; `branch` is what a clone checks out."""

    @abstractmethod
    def serve(
        self, name: str, call: GitCall, body: AsyncIterator[bytes], *, gate: PushGate
    ) -> AbstractAsyncContextManager[GitAnswer]:
        """Let git answer a call to a prepared repository; on leaving its processes are gone."""

    @abstractmethod
    async def measure(self, name: str) -> int:
        """Bytes on the disk, what is in quarantine included."""

    @abstractmethod
    async def tidy(self, name: str, *, at_once: bool = False) -> None:
        """Pack what is there and forget what no branch or tag leads to; `at_once` also what was pushed lately."""

    @abstractmethod
    async def list_names(self) -> Sequence[str]:
        """Every repository."""

    @abstractmethod
    async def remove(self, name: str) -> None:
        """Remove a repository; done when it is gone."""
