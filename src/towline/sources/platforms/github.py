"""GitHub, and GitHub Enterprise Server: https://docs.github.com/webhooks."""

from typing import Any, ClassVar, Final

from towline.errors import NotFound
from towline.sources.base import PullRequest, WebhookEvent
from towline.sources.hosting import (
    ApiRequest,
    Ask,
    CommitStatus,
    Comparison,
    GitHost,
    HostKey,
    RemoteRepository,
    Rights,
)
from towline.sources.platforms.github_app import app_headers, check_private_key, installations_request, token_request
from towline.sources.platforms.payloads import (
    is_no_commit,
    items,
    list_changed_paths,
    number,
    part,
    read_payload,
    text,
    texts,
)
from towline.sources.platforms.platform import Headers, Platform, delivery_of, is_signed
from towline.sources.platforms.requests import LONGEST_DESCRIPTION, paged, quoted, repository_path

_MOST_COMMITS: Final = 2048
"""GitHub lists at most so many commits of a push."""

_MOST_FILES: Final = 300
"""A comparison lists at most so many files."""

_VERSION: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


def verify(headers: Headers, body: bytes, secret: str) -> bool:
    """`X-Hub-Signature-256: sha256=…` over the raw body; the older SHA-1 form alone is not believed."""
    algorithm, _, signature = headers.get("x-hub-signature-256", "").partition("=")
    return algorithm == "sha256" and is_signed(body, secret, signature)


def read(headers: Headers, body: bytes) -> WebhookEvent:
    """What a verified webhook tells."""
    content = read_payload(headers, body)
    name = headers.get("x-github-event", "")
    delivery = delivery_of(headers, body, "x-github-delivery")
    if name == "ping":
        return WebhookEvent("ping", delivery, addresses=_addresses(content))
    if name == "push":
        return _read_push(content, delivery)
    if name == "pull_request":
        return _read_pull_request(content, delivery)
    return WebhookEvent(
        "ignored", delivery, addresses=_addresses(content), reason=f"Events of the kind {name[:60]!r} are not used."
    )


def _read_push(content: object, delivery: str) -> WebhookEvent:
    ref, revision = text(content, "ref"), text(content, "after")
    commits = items(content, "commits")
    is_deletion = part(content, "deleted") is True or is_no_commit(revision)
    is_tag = ref.startswith("refs/tags/")
    previous = text(content, "before")
    is_complete = not is_no_commit(previous) and part(content, "forced") is not True and len(commits) < _MOST_COMMITS
    return WebhookEvent(
        "branch_deleted" if is_deletion else "tag" if is_tag else "push",
        delivery,
        ref=ref,
        revision="" if is_deletion else revision,
        previous_revision=previous,
        is_forced=part(content, "forced") is True,
        changed_paths=list_changed_paths(commits, is_complete=is_complete),
        message=text(content, "head_commit", "message"),
        sender=text(content, "sender", "login"),
        addresses=_addresses(content),
        default_branch=text(content, "repository", "default_branch"),
    )


def _read_pull_request(content: object, delivery: str) -> WebhookEvent:
    request = part(content, "pull_request")
    head, base = part(request, "head"), part(request, "base")
    return WebhookEvent(
        "pull_request",
        delivery,
        ref=f"refs/heads/{text(head, 'ref')}",
        revision=text(head, "sha"),
        sender=text(content, "sender", "login"),
        addresses=_addresses(content),
        default_branch=text(content, "repository", "default_branch"),
        pull_request=PullRequest(
            number(request, "number"),
            text(content, "action"),
            title=text(request, "title"),
            head_ref=text(head, "ref"),
            head_revision=text(head, "sha"),
            base_ref=text(base, "ref"),
            is_fork=part(head, "repo", "id") != part(base, "repo", "id"),
            labels=tuple(text(label, "name") for label in items(request, "labels")),
            is_open=part(request, "state") != "closed",
        ),
    )


def _addresses(content: Any) -> tuple[str, ...]:
    return texts(*(text(content, "repository", key) for key in ("clone_url", "ssh_url", "html_url")))


class GitHubHost(GitHost):
    """https://docs.github.com/rest; with the key of a GitHub App every call gets a token of its own, an hour long."""

    kind: ClassVar[str] = "github"
    title: ClassVar[str] = "GitHub"
    public_host: ClassVar[str] = "github.com"
    git_user: ClassVar[str] = "x-access-token"
    request_ref: ClassVar[str] = "refs/pull/{number}/head"

    def api_url(self, host: str) -> str:
        """github.com, or a GitHub Enterprise Server."""
        return "https://api.github.com" if host == self.public_host else f"https://{host}/api/v3"

    def headers(self, key: HostKey) -> dict[str, str]:
        """A bearer token."""
        return {"Authorization": f"Bearer {key.secret}", **_VERSION}

    def check_key(self, key: HostKey) -> None:
        """An App signs with a private key."""
        if key.app_id:
            check_private_key(key.secret)
        else:
            super().check_key(key)

    async def open_app(self, key: HostKey, ask: Ask, *, repository: str, owner: str, rights: Rights) -> HostKey:
        """Of the installation at the repository, or at `owner` (any without one), with no more rights than needed."""
        headers = {**app_headers(key), **_VERSION}
        if repository:
            found = await ask(ApiRequest("GET", f"/repos/{repository_path(repository)}/installation"), headers)
        else:
            found = _installation_of(await ask(installations_request(), headers), owner)
        names = [repository.rpartition("/")[2]] if repository else []
        made = await ask(token_request(number(found, "id"), rights=rights, repositories=names), headers)
        return HostKey(text(made, "token"))

    def repositories_request(self, *, owner: str, page: int, is_app: bool) -> ApiRequest:
        """Of the token's user, or of the App's installation."""
        del owner
        if is_app:
            return ApiRequest("GET", "/installation/repositories", paged(page, size=self.page_size))
        return ApiRequest("GET", "/user/repos", paged(page, size=self.page_size, sort="full_name"))

    def read_repositories(self, content: object) -> list[RemoteRepository]:
        """By full name."""
        return [
            RemoteRepository(text(one, "full_name"), text(one, "clone_url"), text(one, "default_branch"))
            for one in items({"repositories": content}, "repositories") or items(content, "repositories")
        ]

    def branches_request(self, repository: str, page: int) -> ApiRequest:
        """By name."""
        path = f"/repos/{repository_path(repository)}/branches"
        return ApiRequest("GET", path, paged(page, size=self.page_size))

    def read_branches(self, content: object) -> list[str]:
        """Names."""
        return [text(one, "name") for one in items({"found": content}, "found")]

    def comparison_request(self, repository: str, before: str, after: str, *, page: int) -> ApiRequest:
        """From where both came from; all of the files are on the first page, pages are of commits."""
        path = f"/repos/{repository_path(repository)}/compare/{quoted(before)}...{quoted(after)}"
        return ApiRequest("GET", path, paged(page, size=1))

    def read_comparison(self, content: object) -> Comparison:
        """At most 300 files: more are left out without a word."""
        files = part(content, "files")
        found = items(content, "files")
        return Comparison(
            texts(*(text(one, key) for one in found for key in ("filename", "previous_filename"))),
            is_complete=isinstance(files, list) and len(found) < _MOST_FILES,
            is_one_sided=text(content, "status") not in {"ahead", "identical"},
        )

    def hook_request(self, repository: str, *, url: str, secret: str, hook_id: str) -> ApiRequest:
        """The deletion of a branch is a push too."""
        config = {"url": url, "content_type": "json", "secret": secret, "insecure_ssl": "0"}
        body: dict[str, Any] = {"active": True, "events": ["push", "pull_request"], "config": config}
        path = f"/repos/{repository_path(repository)}/hooks"
        if hook_id:
            return ApiRequest("PATCH", f"{path}/{quoted(hook_id)}", body=body)
        return ApiRequest("POST", path, body={"name": "web", **body})

    def hook_removal(self, repository: str, hook_id: str) -> ApiRequest:
        """By id."""
        return ApiRequest("DELETE", f"/repos/{repository_path(repository)}/hooks/{quoted(hook_id)}")

    def status_request(self, repository: str, status: CommitStatus) -> ApiRequest:
        """The newest of a context counts."""
        body = {
            "state": status.state,
            "target_url": status.url,
            "description": status.description[:LONGEST_DESCRIPTION],
            "context": status.context,
        }
        return ApiRequest("POST", f"/repos/{repository_path(repository)}/statuses/{quoted(status.revision)}", body=body)

    def comment_request(self, repository: str, request: int, comment: str, *, comment_id: str) -> ApiRequest:
        """To GitHub a pull request is an issue with code."""
        issues = f"/repos/{repository_path(repository)}/issues"
        if comment_id:
            return ApiRequest("PATCH", f"{issues}/comments/{quoted(comment_id)}", body={"body": comment})
        return ApiRequest("POST", f"{issues}/{request}/comments", body={"body": comment})


def _installation_of(found: object, owner: str) -> object:
    installations = items({"found": found}, "found")
    wanted = (one for one in installations if owner.lower() in {"", text(one, "account", "login").lower()})
    installation = next(wanted, None)
    if installation is None:
        raise NotFound(
            f"The App is not installed at {owner or 'any account'}.",
            hint="Install it there, on the App's page at GitHub.",
        )
    return installation


GITHUB: Final = Platform(GitHubHost(), verify, read)
