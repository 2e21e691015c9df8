"""GitHub, and GitHub Enterprise Server: https://docs.github.com/webhooks."""

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

_MOST_COMMITS: Final = 2048
"""GitHub lists at most so many commits of a push."""


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
        ),
    )


def _addresses(content: Any) -> tuple[str, ...]:
    return texts(*(text(content, "repository", key) for key in ("clone_url", "ssh_url", "html_url")))


GITHUB: Final = Platform("github", "github.com", "x-access-token", verify, read)
