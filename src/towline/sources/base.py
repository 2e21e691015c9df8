"""The contract of a source: where code comes from."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

from towline.sources.hosting import GitHost
from towline.values import Bundle, Credential, Report

StoreTree = Callable[[Path], Awaitable[tuple[str, int]]]
"""Stores a fetched tree as a bundle and returns its digest and stored size; given to each source when it is made."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What to fetch: `config` is the service's source configuration as the source itself validated it.

    `ref` is a branch, tag or commit (git) or an upload's digest (upload); empty means the configured default.
    `allows_local` is true only for instance administrators (file:// and loopback addresses, and those in
    `closed_networks`, where the platform's own instances are). Limits are in bytes and files of the unpacked tree.
    `service_id` is the service it is for; `quarantine` a folder of git objects that are not in its repository yet.
    `request_ref` is where the server keeps the head of the pull request that a commit is of, for servers that do not
    give out a commit by its id. `is_foreign` says that a stranger wrote the commit: the credential is for its own
    repository alone, and not for others that it names.
    """

    config: Mapping[str, object]
    ref: str = ""
    credential: Credential | None = None
    allows_local: bool = False
    closed_networks: tuple[str, ...] = ()
    timeout: timedelta = timedelta(minutes=5)
    max_bytes: int = 2 * 1024**3
    max_files: int = 200_000
    service_id: str = ""
    quarantine: Path | None = None
    request_ref: str = ""
    is_foreign: bool = False


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull or merge request as a webhook told of it; `action` is what happened to it, in the platform's own word."""

    number: int
    action: str
    title: str = ""
    head_ref: str = ""
    head_revision: str = ""
    base_ref: str = ""
    is_fork: bool = False
    labels: tuple[str, ...] = ()
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """What a verified webhook said; `changed_paths` None means that not all were listed, `ref` is the full ref.

    `addresses` are those of the repository, `message` is that of the newest commit, `reason` says why an event is
    ignored, or why the changed paths of a push are not known.
    """

    kind: Literal["push", "tag", "pull_request", "branch_deleted", "ping", "ignored"]
    delivery_id: str
    ref: str = ""
    revision: str = ""
    changed_paths: tuple[str, ...] | None = None
    previous_revision: str = ""
    is_forced: bool = False
    message: str = ""
    sender: str = ""
    addresses: tuple[str, ...] = ()
    default_branch: str = ""
    pull_request: PullRequest | None = None
    reason: str = ""


class Source(ABC):
    """A place code comes from. Implementations keep no state between calls and never log a credential.

    Every method raises the TowlineError family only: SourceUnavailable (no such repository or ref, no access, no
    answer), TimedOut, TooLarge, BundleRejected, DiskFull, InvalidInput. A failed or cancelled fetch leaves no file
    and no child process behind.
    """

    kind: ClassVar[str]
    host_api: ClassVar[GitHost | None] = None
    """The API of the platform whose repositories these are; None where there is none."""

    @abstractmethod
    def validate_config(self, config: Mapping[str, object]) -> dict[str, object]:
        """Return the configuration with defaults filled in; raise InvalidInput naming the field otherwise."""

    @abstractmethod
    async def authenticate(self, request: FetchRequest) -> bool:
        """Whether the credential (or none) gives access to the configured place."""

    @abstractmethod
    async def fetch_source(self, request: FetchRequest, report: Report) -> Bundle:
        """Fetch one revision into bundle storage and return it. The same tree gives the same digest."""

    @abstractmethod
    def validate_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent | None:
        """Verify the raw body in constant time, then read it; None when the signature is missing or wrong."""
