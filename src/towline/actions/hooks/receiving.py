"""Receiving: a webhook verified on its raw body, kept once, and answered before anything is done about it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, cast

import orjson
from sqlalchemy import Text, bindparam, exists, select
from sqlalchemy.dialects.postgresql import insert

from towline.actions.hooks.administration import open_secrets
from towline.actions.platform import Platform
from towline.errors import NotFound, Unauthenticated
from towline.infra.reads import Read
from towline.models.base import utc_now
from towline.models.hooks import Hook, HookDelivery
from towline.models.projects import Project
from towline.names import new_id
from towline.sources.base import PullRequest, WebhookEvent


@dataclass(frozen=True, slots=True)
class Received:
    """A delivery that is kept; `is_new` is false for one that came before."""

    delivery_id: str
    is_new: bool


async def receive(
    platform: Platform, *, source_type: str, hook_id: str, headers: Mapping[str, str], body: bytes
) -> Received:
    """Keep a webhook; NotFound for an unknown hook, Unauthenticated for a wrong signature, InvalidInput for no JSON."""
    rows = await _hook_read().fetch(platform.database, hook_id=hook_id, source_type=source_type)
    if not rows:
        raise NotFound("There is no such hook.", hint="Copy its address from `towline hooks list`.")
    hook = Hook(**rows[0])
    return await _keep(platform, hook, _verified(platform, hook, headers, body))


@cache
def _hook_read() -> Read:
    hook_id, source_type = (bindparam(name, type_=Text()) for name in ("hook_id", "source_type"))
    is_there = exists().where(Project.id == Hook.project_id, Project.deleted_at.is_(None))
    return Read(select(Hook.__table__).where(Hook.id == hook_id, Hook.source_type == source_type, is_there))


def _verified(platform: Platform, hook: Hook, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
    source = platform.sources.get(hook.source_type)
    if source is None:
        raise NotFound(f"The source {hook.source_type!r} of the hook is not installed here.")
    for secret in open_secrets(platform, hook):
        event = source.validate_webhook(headers, body, secret)
        if event is not None:
            return event
    raise Unauthenticated(
        "The webhook's signature is missing or wrong.", hint="Give the sender the hook's secret, or rotate it."
    )


async def _keep(platform: Platform, hook: Hook, event: WebhookEvent) -> Received:
    """One statement in a transaction of its own: it is on the disk before the sender hears of it."""
    delivery_id, key = new_id("dlv"), storable(event.delivery_id)
    content = orjson.dumps(storable(asdict(event))).decode()
    values = {"id": delivery_id, "created_at": utc_now(), "hook_id": hook.id, "delivery_key": key, "event": content}
    if await _insertion().fetch(platform.database, **values, kind=event.kind):
        return Received(delivery_id, is_new=True)
    [row] = await _kept_read().fetch(platform.database, hook_id=hook.id, delivery_key=key)
    # Its own when the connection was lost between the first try and its answer.
    return Received(row["id"], is_new=row["id"] == delivery_id)


@cache
def _insertion() -> Read:
    given = dict.fromkeys(("id", "created_at", "hook_id", "delivery_key", "kind", "event"))
    fixed = {"status": "queued", "reason": "", "attempts": 0, "deployment_ids": "[]"}
    statement = insert(HookDelivery).values({**given, **fixed}).on_conflict_do_nothing()
    return Read(statement.returning(HookDelivery.id))


@cache
def _kept_read() -> Read:
    hook_id, key = (bindparam(name, type_=Text()) for name in ("hook_id", "delivery_key"))
    return Read(select(HookDelivery.id).where(HookDelivery.hook_id == hook_id, HookDelivery.delivery_key == key))


def storable(value: Any) -> Any:
    """The same without what PostgreSQL cannot hold: NUL becomes U+FFFD, half of a surrogate pair `?`."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode().replace("\0", "\ufffd")
    if isinstance(value, Mapping):
        return {name: storable(item) for name, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in cast("list[Any]", value)]
    return value


def to_event(stored: Mapping[str, Any]) -> WebhookEvent:
    """The event of a delivery as it was read."""
    fields: dict[str, Any] = dict(stored)
    changed, request = fields["changed_paths"], fields["pull_request"]
    fields |= {"changed_paths": None if changed is None else tuple(changed), "addresses": tuple(fields["addresses"])}
    if request is not None:
        labels: dict[str, Any] = {"labels": tuple(request["labels"])}
        fields["pull_request"] = PullRequest(**{**request, **labels})
    return WebhookEvent(**fields)
