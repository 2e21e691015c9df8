"""GitLab, also self-managed: https://docs.gitlab.com/user/project/integrations/webhook_events/."""

import base64
import hashlib
import hmac
from typing import Any, Final

from towline.sources.base import PullRequest, WebhookEvent
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

_ENCODED: Final = "whsec_"


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
        ),
    )


def _addresses(content: Any) -> tuple[str, ...]:
    return texts(*(text(content, "project", key) for key in ("git_http_url", "git_ssh_url", "web_url")))


GITLAB: Final = Platform("gitlab", "gitlab.com", "oauth2", verify, read)
