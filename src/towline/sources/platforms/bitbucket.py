"""Bitbucket Cloud: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/."""

import base64
import hashlib
from typing import Any, ClassVar, Final

from towline.errors import InvalidInput
from towline.sources.base import PullRequest, WebhookEvent
from towline.sources.hosting import ApiRequest, CommitStatus, Comparison, GitHost, HostKey, RemoteRepository
from towline.sources.platforms.payloads import items, number, part, read_payload, text, texts
from towline.sources.platforms.platform import Headers, Platform, delivery_of, is_signed
from towline.sources.platforms.requests import LONGEST_DESCRIPTION, quoted, repository_path

_ACTIONS: Final = {
    "pullrequest:created": "opened",
    "pullrequest:updated": "updated",
    "pullrequest:fulfilled": "merged",
    "pullrequest:rejected": "closed",
}
_STATES: Final = {"pending": "INPROGRESS", "success": "SUCCESSFUL", "failure": "FAILED"}
_LONGEST_KEY: Final = 40
_PAGE_OF_FILES: Final = 500
_API_USER: Final = "x-bitbucket-api-token-auth"


def verify(headers: Headers, body: bytes, secret: str) -> bool:
    """`X-Hub-Signature: sha256=…` over the raw body."""
    algorithm, _, signature = headers.get("x-hub-signature", "").partition("=")
    return algorithm == "sha256" and is_signed(body, secret, signature)


def read(headers: Headers, body: bytes) -> WebhookEvent:
    """What a verified webhook tells. Bitbucket lists no paths, so those are never known from the payload."""
    content = read_payload(headers, body)
    name = headers.get("x-event-key", "")
    delivery = delivery_of(headers, body, "x-request-uuid")
    if name == "repo:push":
        return _read_push(content, delivery)
    if name in _ACTIONS:
        return _read_pull_request(content, delivery, action=_ACTIONS[name])
    if name == "diagnostics:ping":
        return WebhookEvent("ping", delivery, addresses=_addresses(content))
    return WebhookEvent(
        "ignored", delivery, addresses=_addresses(content), reason=f"Events of the kind {name[:60]!r} are not used."
    )


def _read_push(content: object, delivery: str) -> WebhookEvent:
    changes = items(content, "push", "changes")
    change = next((one for one in changes if part(one, "new")), changes[0] if changes else None)
    new, old = part(change, "new"), part(change, "old")
    is_tag = text(new or old, "type") == "tag"
    prefix = "refs/tags/" if is_tag else "refs/heads/"
    return WebhookEvent(
        "branch_deleted" if not new else "tag" if is_tag else "push",
        delivery,
        ref=prefix + text(new or old, "name"),
        revision=text(new, "target", "hash"),
        previous_revision=text(old, "target", "hash"),
        is_forced=part(change, "forced") is True,
        message=text(new, "target", "message"),
        sender=text(content, "actor", "nickname"),
        addresses=_addresses(content),
        default_branch=text(content, "repository", "mainbranch", "name"),
    )


def _read_pull_request(content: object, delivery: str, *, action: str) -> WebhookEvent:
    request = part(content, "pullrequest")
    head, base = part(request, "source"), part(request, "destination")
    branch, revision = text(head, "branch", "name"), text(head, "commit", "hash")
    return WebhookEvent(
        "pull_request",
        delivery,
        ref=f"refs/heads/{branch}",
        revision=revision,
        sender=text(content, "actor", "nickname"),
        addresses=_addresses(content),
        pull_request=PullRequest(
            number(request, "id"),
            action,
            title=text(request, "title"),
            head_ref=branch,
            head_revision=revision,
            base_ref=text(base, "branch", "name"),
            is_fork=text(head, "repository", "full_name") != text(base, "repository", "full_name"),
            is_open=part(request, "state") in {None, "OPEN"},
        ),
    )


def _addresses(content: Any) -> tuple[str, ...]:
    return texts(text(content, "repository", "links", "html", "href"))


class BitbucketHost(GitHost):
    """https://developer.atlassian.com/cloud/bitbucket/rest/; it keeps no ref for the head of a pull request."""

    kind: ClassVar[str] = "bitbucket"
    title: ClassVar[str] = "Bitbucket"
    public_host: ClassVar[str] = "bitbucket.org"
    git_user: ClassVar[str] = "x-token-auth"

    def api_url(self, host: str) -> str:
        """Bitbucket Cloud."""
        return f"https://api.{host}/2.0"

    def headers(self, key: HostKey) -> dict[str, str]:
        """A repository or workspace access token; with a user name an app password or API token."""
        if not key.username:
            return {"Authorization": f"Bearer {key.secret}"}
        pair = base64.b64encode(f"{key.username}:{key.secret}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def fetch_user(self, key: HostKey) -> str:
        """An API token, which goes with an e-mail address, has a user of its own for git."""
        if "@" in key.username:
            return _API_USER
        return super().fetch_user(key)

    def repositories_request(self, *, owner: str, page: int, is_app: bool) -> ApiRequest:
        """Those of one workspace: there is no list across workspaces."""
        del is_app
        if not owner:
            raise InvalidInput("Bitbucket lists the repositories of one workspace; the connection names none.")
        return ApiRequest("GET", f"/repositories/{quoted(owner)}", self._paged(page, sort="full_name"))

    def read_repositories(self, content: object) -> list[RemoteRepository]:
        """By full name."""
        return [
            RemoteRepository(text(one, "full_name"), _clone_url(one), text(one, "mainbranch", "name"))
            for one in items(content, "values")
        ]

    def branches_request(self, repository: str, page: int) -> ApiRequest:
        """By name."""
        path = f"/repositories/{repository_path(repository)}/refs/branches"
        return ApiRequest("GET", path, self._paged(page, sort="name"))

    def read_branches(self, content: object) -> list[str]:
        """Names."""
        return [text(one, "name") for one in items(content, "values")]

    def comparison_request(self, repository: str, before: str, after: str, *, page: int) -> ApiRequest:
        """One with the other; the later commit stands first."""
        path = f"/repositories/{repository_path(repository)}/diffstat/{quoted(after)}..{quoted(before)}"
        return ApiRequest("GET", path, {"topic": "false", "pagelen": str(_PAGE_OF_FILES), "page": str(page)})

    def read_comparison(self, content: object) -> Comparison:
        """Added files have no old side, removed ones no new one."""
        paths = (text(one, side, "path") for one in items(content, "values") for side in ("old", "new"))
        is_complete = isinstance(part(content, "values"), list)
        return Comparison(texts(*paths), is_complete=is_complete, has_more=bool(text(content, "next")))

    def hook_request(self, repository: str, *, url: str, secret: str, hook_id: str) -> ApiRequest:
        """The deletion of a branch is a push too."""
        body: dict[str, Any] = {
            "description": "Towline",
            "url": url,
            "active": True,
            "secret": secret,
            "events": ["repo:push", *_ACTIONS],
        }
        path = f"/repositories/{repository_path(repository)}/hooks"
        if hook_id:
            return ApiRequest("PUT", f"{path}/{quoted(hook_id)}", body=body)
        return ApiRequest("POST", path, body=body)

    def hook_removal(self, repository: str, hook_id: str) -> ApiRequest:
        """By id."""
        return ApiRequest("DELETE", f"/repositories/{repository_path(repository)}/hooks/{quoted(hook_id)}")

    def status_request(self, repository: str, status: CommitStatus) -> ApiRequest:
        """A build status; a later one of the same key replaces it."""
        body = {
            "key": _key_of(status.context),
            "state": _STATES[status.state],
            "name": status.context,
            "description": status.description[:LONGEST_DESCRIPTION],
            "url": status.url,
        }
        path = f"/repositories/{repository_path(repository)}/commit/{quoted(status.revision)}/statuses/build"
        return ApiRequest("POST", path, body=body)

    def comment_request(self, repository: str, request: int, comment: str, *, comment_id: str) -> ApiRequest:
        """A comment on the whole pull request."""
        comments = f"/repositories/{repository_path(repository)}/pullrequests/{request}/comments"
        body = {"content": {"raw": comment}}
        if comment_id:
            return ApiRequest("PUT", f"{comments}/{quoted(comment_id)}", body=body)
        return ApiRequest("POST", comments, body=body)

    def read_id(self, content: object) -> str:
        """Webhooks have a uuid, comments a number."""
        return text(content, "uuid") or super().read_id(content)

    def _paged(self, page: int, *, sort: str) -> dict[str, str]:
        return {"pagelen": str(self.page_size), "page": str(page), "sort": sort}


def _key_of(context: str) -> str:
    """The key of a status, which is short there; what is cut ends in a hash, so that no two are one."""
    if len(context) <= _LONGEST_KEY:
        return context
    return f"{context[: _LONGEST_KEY - 9]}-{hashlib.sha256(context.encode()).hexdigest()[:8]}"


def _clone_url(repository: object) -> str:
    links = items(repository, "links", "clone")
    return next((text(link, "href") for link in links if text(link, "name") == "https"), "")


BITBUCKET: Final = Platform(BitbucketHost(), verify, read)
