"""Gitea and Forgejo: https://docs.gitea.com/usage/webhooks."""

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
from towline.sources.platforms.platform import Headers, Platform, delivery_of, is_signed

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
        ),
    )


def _addresses(content: Any) -> tuple[str, ...]:
    return texts(*(text(content, "repository", key) for key in ("clone_url", "ssh_url", "html_url")))


GITEA: Final = Platform("gitea", "gitea.com", "towline", verify, read)
