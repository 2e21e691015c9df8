"""Bitbucket Cloud: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/."""

from typing import Any, Final

from towline.sources.base import PullRequest, WebhookEvent
from towline.sources.platforms.payloads import items, number, part, read_payload, text, texts
from towline.sources.platforms.platform import Headers, Platform, delivery_of, is_signed

_ACTIONS: Final = {
    "pullrequest:created": "opened",
    "pullrequest:updated": "updated",
    "pullrequest:fulfilled": "merged",
    "pullrequest:rejected": "closed",
}


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
        ),
    )


def _addresses(content: Any) -> tuple[str, ...]:
    return texts(text(content, "repository", "links", "html", "href"))


BITBUCKET: Final = Platform("bitbucket", "bitbucket.org", "x-token-auth", verify, read)
