"""Gitea and Forgejo: https://docs.gitea.com/usage/webhooks."""

from typing import Any, ClassVar, Final

from towline.sources.base import PullRequest, WebhookEvent
from towline.sources.hosting import ApiRequest, CommitStatus, Comparison, GitHost, HostKey, RemoteRepository
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
from towline.sources.platforms.requests import LONGEST_DESCRIPTION, quoted, repository_path

_EVENTS: Final = ["push", "delete", "pull_request_only", "pull_request_sync", "pull_request_label"]
_PULL_REQUESTS: Final = frozenset({"pull_request", "pull_request_sync", "pull_request_label"})


def verify(headers: Headers, body: bytes, secret: str) -> bool:
    """`X-Gitea-Signature` or `X-Forgejo-Signature`: HMAC-SHA256 over the raw body, without a prefix."""
    signature = headers.get("x-forgejo-signature") or headers.get("x-gitea-signature") or ""
    return is_signed(body, secret, signature)


def read(headers: Headers, body: bytes) -> WebhookEvent:
    """What a verified webhook tells."""
    content = read_payload(headers, body)
    name = headers.get("x-forgejo-event") or headers.get("x-gitea-event") or ""
    delivery = delivery_of(headers, body, "x-forgejo-delivery", "x-gitea-delivery")
    if name == "push":
        return _read_push(content, delivery)
    if name == "delete":
        kind = text(content, "ref_type")
        prefix = "refs/tags/" if kind == "tag" else "refs/heads/"
        return WebhookEvent(
            "branch_deleted", delivery, ref=prefix + text(content, "ref"), addresses=_addresses(content)
        )
    if name in _PULL_REQUESTS:
        return _read_pull_request(content, delivery)
    return WebhookEvent(
        "ignored", delivery, addresses=_addresses(content), reason=f"Events of the kind {name[:60]!r} are not used."
    )


def _read_push(content: object, delivery: str) -> WebhookEvent:
    ref, revision, previous = text(content, "ref"), text(content, "after"), text(content, "before")
    commits = items(content, "commits")
    is_deletion = is_no_commit(revision)
    total = number(content, "total_commits")
    is_complete = not is_no_commit(previous) and bool(commits) and len(commits) == total
    return WebhookEvent(
        "branch_deleted" if is_deletion else "tag" if ref.startswith("refs/tags/") else "push",
        delivery,
        ref=ref,
        revision="" if is_deletion else revision,
        previous_revision=previous,
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
            number(content, "number"),
            text(content, "action"),
            title=text(request, "title"),
            head_ref=text(head, "ref"),
            head_revision=text(head, "sha"),
            base_ref=text(base, "ref"),
            is_fork=part(head, "repo_id") != part(base, "repo_id"),
            labels=tuple(text(label, "name") for label in items(request, "labels")),
            is_open=part(request, "state") != "closed",
        ),
    )


def _addresses(content: Any) -> tuple[str, ...]:
    return texts(*(text(content, "repository", key) for key in ("clone_url", "ssh_url", "html_url")))


class GiteaHost(GitHost):
    """https://docs.gitea.com/api/; Forgejo's is the same."""

    kind: ClassVar[str] = "gitea"
    title: ClassVar[str] = "Gitea"
    public_host: ClassVar[str] = "gitea.com"
    git_user: ClassVar[str] = "towline"
    request_ref: ClassVar[str] = "refs/pull/{number}/head"

    def api_url(self, host: str) -> str:
        """Always a host of its own."""
        return f"https://{host}/api/v1"

    def headers(self, key: HostKey) -> dict[str, str]:
        """An access token."""
        return {"Authorization": f"token {key.secret}"}

    def repositories_request(self, *, owner: str, page: int, is_app: bool) -> ApiRequest:
        """Those of the token's user."""
        del owner, is_app
        return ApiRequest("GET", "/user/repos", self._paged(page))

    def read_repositories(self, content: object) -> list[RemoteRepository]:
        """By full name."""
        return [
            RemoteRepository(text(one, "full_name"), text(one, "clone_url"), text(one, "default_branch"))
            for one in items({"found": content}, "found")
        ]

    def branches_request(self, repository: str, page: int) -> ApiRequest:
        """By name."""
        return ApiRequest("GET", f"/repos/{repository_path(repository)}/branches", self._paged(page))

    def read_branches(self, content: object) -> list[str]:
        """Names."""
        return [text(one, "name") for one in items({"found": content}, "found")]

    def comparison_request(self, repository: str, before: str, after: str, *, page: int) -> ApiRequest:
        """The commits that lead to the later one, all on one page, each with its files."""
        del page
        path = f"/repos/{repository_path(repository)}/compare/{quoted(before)}...{quoted(after)}"
        return ApiRequest("GET", path)

    def read_comparison(self, content: object) -> Comparison:
        """Renamed files are removed and added there."""
        commits = items(content, "commits")
        is_complete = part(content, "total_commits") == len(commits) and all(
            isinstance(part(one, "files"), list) for one in commits
        )
        paths = (text(file, "filename") for one in commits for file in items(one, "files"))
        return Comparison(texts(*paths), is_complete=is_complete, is_one_sided=True)

    def hook_request(self, repository: str, *, url: str, secret: str, hook_id: str) -> ApiRequest:
        """A deleted branch is an event of its own."""
        body: dict[str, Any] = {
            "active": True,
            "events": _EVENTS,
            "config": {"url": url, "content_type": "json", "secret": secret},
        }
        path = f"/repos/{repository_path(repository)}/hooks"
        if hook_id:
            return ApiRequest("PATCH", f"{path}/{quoted(hook_id)}", body=body)
        return ApiRequest("POST", path, body={"type": "gitea", **body})

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
        """To Gitea a pull request is an issue with code."""
        issues = f"/repos/{repository_path(repository)}/issues"
        if comment_id:
            return ApiRequest("PATCH", f"{issues}/comments/{quoted(comment_id)}", body={"body": comment})
        return ApiRequest("POST", f"{issues}/{request}/comments", body={"body": comment})

    def _paged(self, page: int) -> dict[str, str]:
        return {"limit": str(self.page_size), "page": str(page)}


GITEA: Final = Platform(GiteaHost(), verify, read)
