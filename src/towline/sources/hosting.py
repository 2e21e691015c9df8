"""The contract of a git platform's API: which request asks for what, and what its answer says; nothing is sent here."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, cast

from towline.errors import InvalidInput

StatusState = Literal["pending", "success", "failure"]
Rights = Mapping[str, str]
"""What a short-lived token is for, in the words of GitHub's Apps: `{"contents": "read"}`."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request to a platform's API; `path` stands behind the API's address, its foreign parts quoted."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class HostKey:
    """What a connection holds: a token (with a user name where the platform wants one), or the key of an App."""

    secret: str
    username: str = ""
    app_id: str = ""


@dataclass(frozen=True, slots=True)
class RemoteRepository:
    """A repository at a platform; `name` is owner/name as the platform writes it."""

    name: str
    url: str
    default_branch: str = ""


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """What is told of a commit; `context` names who tells it, and a later status of the same context replaces it."""

    revision: str
    state: StatusState
    context: str
    description: str
    url: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A part of what differs between two commits: paths, those of renamed files as they were and as they are.

    `is_complete` is false when the platform left some out that it will not give; `has_more` says that there is a
    further page, `is_one_sided` that what only the earlier commit has may not be among them.
    """

    paths: tuple[str, ...]
    is_complete: bool = True
    has_more: bool = False
    is_one_sided: bool = False


Ask = Callable[[ApiRequest, Mapping[str, str]], Awaitable[Any]]
"""Sends a request with these headers; the JSON of its answer. Raises HostUnavailable or HostRefused."""


class GitHost(ABC):
    """What one kind of git platform's API offers. Implementations are pure but for what they ask through `Ask`.

    `request_ref` is where the platform keeps the head of pull request N in the repository that it was made to, so
    that a fork's own address is never needed. Names of repositories are `owner/name`, in any case.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    public_host: ClassVar[str]
    git_user: ClassVar[str]
    request_ref: ClassVar[str] = ""
    page_size: ClassVar[int] = 50

    @abstractmethod
    def api_url(self, host: str) -> str:
        """Address of the API of the platform on a host."""

    @abstractmethod
    def headers(self, key: HostKey) -> dict[str, str]:
        """Headers that carry a token."""

    def check_key(self, key: HostKey) -> None:
        """Return when a key has the form the platform wants; InvalidInput naming the field otherwise."""
        if not key.secret.strip() or any(character.isspace() for character in key.secret):
            raise InvalidInput("secret is empty, or has spaces in it.", field="secret")
        if key.app_id:
            raise InvalidInput(f"{self.title} has no Apps; give a token alone.", field="app_id")

    def fetch_user(self, key: HostKey) -> str:
        """The user name that git gives with a token."""
        return key.username or self.git_user

    async def open_app(self, key: HostKey, ask: Ask, *, repository: str, owner: str, rights: Rights) -> HostKey:
        """The short-lived token of an App: for a repository alone, else for what it reaches at an owner."""
        del key, ask, repository, owner, rights
        raise InvalidInput(f"{self.title} has no Apps.", field="app_id")

    @abstractmethod
    def repositories_request(self, *, owner: str, page: int, is_app: bool) -> ApiRequest:
        """Ask for one page, from 1, of the repositories that a token, or the installation of an App, reaches."""

    @abstractmethod
    def read_repositories(self, content: object) -> list[RemoteRepository]:
        """The repositories of such a page."""

    @abstractmethod
    def branches_request(self, repository: str, page: int) -> ApiRequest:
        """Ask for one page of a repository's branches."""

    @abstractmethod
    def read_branches(self, content: object) -> list[str]:
        """The names of such a page."""

    @abstractmethod
    def comparison_request(self, repository: str, before: str, after: str, *, page: int) -> ApiRequest:
        """Ask for one page, from 1, of what differs between two commits."""

    @abstractmethod
    def read_comparison(self, content: object) -> Comparison:
        """What such a page says."""

    @abstractmethod
    def hook_request(self, repository: str, *, url: str, secret: str, hook_id: str) -> ApiRequest:
        """Make a webhook for pushes, tags and pull requests; with an id, bring that one up to date."""

    @abstractmethod
    def hook_removal(self, repository: str, hook_id: str) -> ApiRequest:
        """Delete a webhook."""

    @abstractmethod
    def status_request(self, repository: str, status: CommitStatus) -> ApiRequest:
        """Report a status of a commit."""

    @abstractmethod
    def comment_request(self, repository: str, request: int, comment: str, *, comment_id: str) -> ApiRequest:
        """Comment on a pull or merge request; with an id, change that comment."""

    def read_id(self, content: object) -> str:
        """The id of a webhook or comment in the answer that made it; empty when there is none."""
        answer = cast("Mapping[str, object]", content if isinstance(content, dict) else {})
        found = answer.get("id") or answer.get("uuid")
        return str(found)[:100] if isinstance(found, int | str) and not isinstance(found, bool) else ""

    def is_so_already(self, request: ApiRequest, status: int, message: str) -> bool:
        """Whether a refusal means that what was asked for is so already."""
        del message
        return request.method == "DELETE" and status in {404, 410}
