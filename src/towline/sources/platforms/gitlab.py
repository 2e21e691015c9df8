"""GitLab, also self-managed: https://docs.gitlab.com/user/project/integrations/webhook_events/."""

import base64
import hashlib
import hmac
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
from towline.sources.platforms.platform import Headers, Platform, delivery_of, is_same
from towline.sources.platforms.requests import paged, quoted

_ENCODED: Final = "whsec_"
_LONGEST_DESCRIPTION: Final = 255


def verify(headers: Headers, body: bytes, secret: str) -> bool:
    """The signed form (`webhook-signature`, of the Standard Webhooks) where it is sent, else `X-Gitlab-Token`."""
    if signatures := headers.get("webhook-signature", ""):
        return _is_signed(headers, body, secret, signatures)
    return is_same(secret, headers.get("x-gitlab-token", ""))


def read(headers: Headers, body: bytes) -> WebhookEvent:
    """What a verified webhook tells."""
    content = read_payload(headers, body)
    name = text(content, "object_kind") or text(content, "event_name")
    delivery = delivery_of(headers, body, "idempotency-key", "x-gitlab-event-uuid", "webhook-id")
    if name in {"push", "tag_push"}:
        return _read_push(content, delivery, is_tag=name == "tag_push")
    if name == "merge_request":
        return _read_merge_request(content, delivery)
    return WebhookEvent(
        "ignored", delivery, addresses=_addresses(content), reason=f"Events of the kind {name[:60]!r} are not used."
    )


def _is_signed(headers: Headers, body: bytes, secret: str, signatures: str) -> bool:
    key = secret.encode()
    if secret.startswith(_ENCODED):
        try:
            key = base64.b64decode(secret.removeprefix(_ENCODED), validate=True)
        except ValueError:
            return False
    signed = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = signatures.split()[:5]
    found = [hmac.compare_digest(expected.encode(), one.encode(errors="replace")) for one in given]
    return bool(secret) and any(found)


def _read_push(content: object, delivery: str, *, is_tag: bool) -> WebhookEvent:
    revision, previous = text(content, "after"), text(content, "before")
    commits = items(content, "commits")
    is_deletion = is_no_commit(revision)
    is_complete = not is_no_commit(previous) and len(commits) == number(content, "total_commits_count")
    newest = next((commit for commit in commits if text(commit, "id") == revision), None)
    return WebhookEvent(
        "branch_deleted" if is_deletion else "tag" if is_tag else "push",
        delivery,
        ref=text(content, "ref"),
        revision="" if is_deletion else text(content, "checkout_sha") or revision,
        previous_revision=previous,
        changed_paths=list_changed_paths(commits, is_complete=is_complete),
        message=text(newest, "message"),
        sender=text(content, "user_username") or text(content, "user_name"),
        addresses=_addresses(content),
        default_branch=text(content, "project", "default_branch"),
    )


def _read_merge_request(content: object, delivery: str) -> WebhookEvent:
    request = part(content, "object_attributes")
    head = text(request, "source_branch")
    revision = text(request, "last_commit", "id")
    return WebhookEvent(
        "pull_request",
        delivery,
        ref=f"refs/heads/{head}",
        revision=revision,
        sender=text(content, "user", "username"),
        addresses=_addresses(content),
        default_branch=text(content, "project", "default_branch"),
        pull_request=PullRequest(
            number(request, "iid"),
            text(request, "action"),
            title=text(request, "title"),
            head_ref=head,
            head_revision=revision,
            base_ref=text(request, "target_branch"),
            is_fork=part(request, "source_project_id") != part(request, "target_project_id"),
            labels=tuple(text(label, "title") for label in items(content, "labels")),
            is_open=part(request, "state") not in {"closed", "merged"},
        ),
    )


def _addresses(content: Any) -> tuple[str, ...]:
    return texts(*(text(content, "project", key) for key in ("git_http_url", "git_ssh_url", "web_url")))


class GitLabHost(GitHost):
    """https://docs.gitlab.com/api/rest/"""

    kind: ClassVar[str] = "gitlab"
    title: ClassVar[str] = "GitLab"
    public_host: ClassVar[str] = "gitlab.com"
    git_user: ClassVar[str] = "oauth2"
    request_ref: ClassVar[str] = "refs/merge-requests/{number}/head"

    def api_url(self, host: str) -> str:
        """gitlab.com, or a GitLab of one's own."""
        return f"https://{host}/api/v4"

    def headers(self, key: HostKey) -> dict[str, str]:
        """A personal, group or project access token."""
        return {"PRIVATE-TOKEN": key.secret}

    def repositories_request(self, *, owner: str, page: int, is_app: bool) -> ApiRequest:
        """Those of which the token's user is a member."""
        del owner, is_app
        query = paged(page, size=self.page_size, membership="true", simple="true", order_by="path", sort="asc")
        return ApiRequest("GET", "/projects", query)

    def read_repositories(self, content: object) -> list[RemoteRepository]:
        """By path."""
        return [
            RemoteRepository(
                text(one, "path_with_namespace"), text(one, "http_url_to_repo"), text(one, "default_branch")
            )
            for one in items({"found": content}, "found")
        ]

    def branches_request(self, repository: str, page: int) -> ApiRequest:
        """By name."""
        path = f"/projects/{quoted(repository)}/repository/branches"
        return ApiRequest("GET", path, paged(page, size=self.page_size))

    def read_branches(self, content: object) -> list[str]:
        """Names."""
        return [text(one, "name") for one in items({"found": content}, "found")]

    def comparison_request(self, repository: str, before: str, after: str, *, page: int) -> ApiRequest:
        """One with the other, all on one page."""
        del page
        query = {"from": before, "to": after, "straight": "true"}
        return ApiRequest("GET", f"/projects/{quoted(repository)}/repository/compare", query)

    def read_comparison(self, content: object) -> Comparison:
        """`compare_timeout` says that there was more to compare than GitLab shows."""
        is_complete = isinstance(part(content, "diffs"), list) and part(content, "compare_timeout") is not True
        paths = (text(one, key) for one in items(content, "diffs") for key in ("old_path", "new_path"))
        return Comparison(texts(*paths), is_complete=is_complete)

    def hook_request(self, repository: str, *, url: str, secret: str, hook_id: str) -> ApiRequest:
        """The deletion of a branch is a push too."""
        body: dict[str, Any] = {
            "url": url,
            "token": secret,
            "push_events": True,
            "tag_push_events": True,
            "merge_requests_events": True,
            "enable_ssl_verification": True,
        }
        path = f"/projects/{quoted(repository)}/hooks"
        if hook_id:
            return ApiRequest("PUT", f"{path}/{quoted(hook_id)}", body=body)
        return ApiRequest("POST", path, body=body)

    def hook_removal(self, repository: str, hook_id: str) -> ApiRequest:
        """By id."""
        return ApiRequest("DELETE", f"/projects/{quoted(repository)}/hooks/{quoted(hook_id)}")

    def status_request(self, repository: str, status: CommitStatus) -> ApiRequest:
        """An external status of the commit."""
        body = {
            "state": "failed" if status.state == "failure" else status.state,
            "name": status.context,
            "target_url": status.url,
            "description": status.description[:_LONGEST_DESCRIPTION],
        }
        return ApiRequest("POST", f"/projects/{quoted(repository)}/statuses/{quoted(status.revision)}", body=body)

    def comment_request(self, repository: str, request: int, comment: str, *, comment_id: str) -> ApiRequest:
        """A note of the merge request."""
        notes = f"/projects/{quoted(repository)}/merge_requests/{request}/notes"
        if comment_id:
            return ApiRequest("PUT", f"{notes}/{quoted(comment_id)}", body={"body": comment})
        return ApiRequest("POST", notes, body={"body": comment})

    def is_so_already(self, request: ApiRequest, status: int, message: str) -> bool:
        """Also a state that was told before: to tell it once more is refused as no change."""
        is_same = status == 400 and message.startswith("Cannot transition status")
        return is_same or super().is_so_already(request, status, message)


GITLAB: Final = Platform(GitLabHost(), verify, read)
