"""Comparing the commits of pushes whose changed paths were not all told, through the connection of their repository."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import func, select, update

from towline.actions.connections.administration import find_connection
from towline.actions.connections.calling import TO_FETCH, Line, open_line
from towline.actions.hooks.finding import list_candidates, select_delivery
from towline.actions.hooks.receiving import storable, to_event
from towline.actions.hooks.rules import wants_paths
from towline.actions.platform import Platform
from towline.errors import TowlineError, UnexpectedError
from towline.models.connections import Connection
from towline.models.hooks import HookDelivery
from towline.sources.base import WebhookEvent

_AT_ONCE: Final = 8
_MOST_PAGES: Final = 20
_MOST_PATHS: Final = 10_000
_MOST_SECONDS: Final = 30.0
_NO_COMMIT: Final = frozenset("0")
_INCOMPLETE: Final = "The platform does not list every path of so large a change."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A push whose paths matter; without a connection nobody can be asked for them."""

    delivery_id: str
    event: WebhookEvent
    repository: str
    connection: Connection | None


async def complete_paths(platform: Platform, delivery_ids: Sequence[str]) -> None:
    """Find out what waiting pushes changed, or keep why that is not known; no transaction is open meanwhile."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def complete(wanted: _Wanted) -> None:
        async with places:
            found = await _ask(platform, wanted)
        await _keep(platform, wanted.delivery_id, found)

    await asyncio.gather(*(complete(one) for one in await _list_wanted(platform, delivery_ids)))


async def _list_wanted(platform: Platform, delivery_ids: Sequence[str]) -> Sequence[_Wanted]:
    lists_none = func.jsonb_typeof(HookDelivery.event["changed_paths"]) == "null"
    query = select(HookDelivery.id).where(HookDelivery.id.in_(delivery_ids), HookDelivery.kind == "push", lists_none)
    async with platform.database.transaction() as work:
        ids = (await work.session.scalars(query)).all()
        if not ids:
            return ()
        wanted: list[_Wanted] = []
        for delivery, hook, project in (await work.session.execute(select_delivery(*ids))).all():
            event = to_event(delivery.event)
            if not wants_paths(event, hook.rules, await list_candidates(work, hook)):
                continue
            kind = "" if hook.source_type == "git" else hook.source_type
            connection = await find_connection(
                work.session, project_id=project.id, repository=hook.repository, kind=kind
            )
            wanted.append(_Wanted(delivery.id, event, hook.repository, connection))
    return wanted


async def _ask(platform: Platform, wanted: _Wanted) -> WebhookEvent:
    """The event with its paths, or with the reason why they are not known."""
    event, connection = wanted.event, wanted.connection
    before, after = event.previous_revision, event.revision
    if not after or set(before) <= _NO_COMMIT:
        return replace(event, reason="No earlier commit is known to compare with.")
    if connection is None:
        return replace(event, reason=f"There is no connection for {wanted.repository}.")
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            name = wanted.repository.partition("/")[2]
            line = await open_line(platform, connection, repository=name, rights=TO_FETCH)
            paths = await _compare(line, name, before, after)
    except TowlineError as error:
        return replace(event, reason=error.message)
    except TimeoutError:
        return replace(event, reason=f"Comparing the commits took longer than {_MOST_SECONDS:g} s.")
    except Exception as error:
        # One answer that nobody expected must not hold up all other deliveries.
        _log.exception("The commits of delivery %s could not be compared", wanted.delivery_id)
        return replace(event, reason=UnexpectedError.of(error).message)
    if paths is None:
        return replace(event, reason=_INCOMPLETE)
    return replace(event, changed_paths=paths, reason="")


async def _compare(line: Line, repository: str, before: str, after: str) -> tuple[str, ...] | None:
    """Every path that differs; None when the platform leaves some out.

    A comparison that starts where two commits came from is asked for both ways: a forced push takes changes away too.
    """
    found = await _read_pages(line, repository, before, after)
    if found is None:
        return None
    paths, is_one_sided = found
    if is_one_sided:
        others = await _read_pages(line, repository, after, before)
        if others is None:
            return None
        paths |= others[0]
    return tuple(paths) if len(paths) <= _MOST_PATHS else None


async def _read_pages(line: Line, repository: str, before: str, after: str) -> tuple[dict[str, None], bool] | None:
    paths: dict[str, None] = {}
    is_one_sided = False
    for page in range(1, _MOST_PAGES + 1):
        content = await line.send(line.api.comparison_request(repository, before, after, page=page))
        part = line.api.read_comparison(content)
        if not part.is_complete:
            return None
        paths.update(dict.fromkeys(part.paths))
        is_one_sided = is_one_sided or part.is_one_sided
        if not part.has_more:
            return paths, is_one_sided
    return None


async def _keep(platform: Platform, delivery_id: str, event: WebhookEvent) -> None:
    """Write what was found into the delivery, where all that work on it read it."""
    changes: dict[str, Any] = storable({"changed_paths": event.changed_paths, "reason": event.reason})
    query = update(HookDelivery).where(HookDelivery.id == delivery_id, HookDelivery.status == "queued")
    async with platform.database.transaction() as work:
        await work.session.execute(query.values(event=HookDelivery.event.concat(changes)))
