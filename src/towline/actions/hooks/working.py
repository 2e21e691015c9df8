"""Working through deliveries, oldest first: each becomes one deployment or one group, or says why not."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, not_, or_, select, tuple_

from towline.actions.access import Caller
from towline.actions.connections.asking import ask_report
from towline.actions.deploying import Wanted, deploy, get_place
from towline.actions.environments import get_environment
from towline.actions.events import emit
from towline.actions.groups.requests import request_group
from towline.actions.hooks.comparing import complete_paths
from towline.actions.hooks.finding import list_candidates, select_delivery
from towline.actions.hooks.previewing import Outcome, Told, follow_branch, follow_request
from towline.actions.hooks.receiving import to_event
from towline.actions.hooks.rules import Decision, decide, is_for_environment
from towline.actions.platform import Platform
from towline.errors import Conflict, NotFound, TowlineError, UnexpectedError
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.hooks import Hook, HookDelivery
from towline.models.projects import Project
from towline.models.services import Service
from towline.names import new_id
from towline.values import Trigger

_MOST_ATTEMPTS: Final = 5
_RETRY: Final = timedelta(seconds=5)
_AT_ONCE: Final = 100
PUSHER: Final = Caller(user_id="hook")
"""Who pushes is known to the platform only; unlike Towline itself it may not fetch from this machine."""

_log = logging.getLogger(__name__)


async def work_through(platform: Platform) -> None:
    """Turn every waiting delivery into what it asks for; one that fails is tried again, then kept as failed."""
    after: tuple[datetime, str] | None = None
    while waiting := await _list_waiting(platform, after):
        await complete_paths(platform, [delivery_id for _, delivery_id in waiting])
        for _, delivery_id in waiting:
            await platform.receiving.give_way()
            await _try(platform, delivery_id)
        after = waiting[-1]


async def _try(platform: Platform, delivery_id: str) -> None:
    try:
        await work_on(platform, delivery_id)
    except TowlineError as error:
        await note_failure(platform, delivery_id, error)
    except Exception as error:
        # One delivery must not hold up all others, again after every restart.
        _log.exception("Delivery %s failed unexpectedly", delivery_id)
        await note_failure(platform, delivery_id, UnexpectedError.of(error))


async def replay(platform: Platform, work: Work, hook: Hook, delivery_id: str) -> HookDelivery:
    """Do what a delivery asked for once more, as a delivery of its own; NotFound when the hook has none such."""
    query = select(HookDelivery).where(HookDelivery.hook_id == hook.id, HookDelivery.id == delivery_id)
    old = (await work.session.scalars(query)).one_or_none()
    if old is None:
        raise NotFound("The hook has no such delivery.")
    if old.status == "queued":
        raise Conflict("The delivery waits to be worked on already.")
    again = HookDelivery(
        id=new_id("dlv"),
        created_at=utc_now(),
        hook_id=hook.id,
        kind=old.kind,
        event=old.event,
        replay_of=old.id,
        delivery_key="",
        status="queued",
        reason="",
        attempts=0,
        deployment_ids=[],
    )
    again.delivery_key = again.id
    work.session.add(again)
    await work.session.flush()
    work.after_commit(lambda: platform.bell.ring("hooks"))
    return again


async def _list_waiting(platform: Platform, after: tuple[datetime, str] | None) -> Sequence[tuple[datetime, str]]:
    """The oldest that wait, behind a position: when they came, and their ids."""
    position = (HookDelivery.created_at, HookDelivery.id)
    query = (
        select(*position)
        .join(Hook, Hook.id == HookDelivery.hook_id)
        .join(Project, Project.id == Hook.project_id)
        .where(HookDelivery.status == "queued", Project.deleted_at.is_(None), is_due(), not_(brings_file()))
    )
    if after is not None:
        query = query.where(tuple_(*position) > after)
    async with platform.database.transaction() as work:
        found = await work.session.execute(query.order_by(*position).limit(_AT_ONCE))
        return [(created_at, delivery_id) for created_at, delivery_id in found]


def is_due() -> ColumnElement[bool]:
    """The condition of deliveries that need not wait for a further try."""
    return or_(HookDelivery.not_before.is_(None), HookDelivery.not_before <= utc_now())


def brings_file() -> ColumnElement[bool]:
    """The condition of pushes whose project file may have to be applied: fetching it takes its time."""
    return and_(Hook.project_file != "", HookDelivery.kind == "push")


async def work_on(platform: Platform, delivery_id: str) -> None:
    """Deploy what a delivery asks for, or write down why not."""
    async with platform.database.transaction() as work:
        row = (await work.session.execute(select_delivery(delivery_id).with_for_update(of=HookDelivery))).first()
        if row is None:
            return
        delivery, hook, project = row
        event = to_event(delivery.event)
        candidates = await list_candidates(work, hook)
        service_ids = tuple(one.service_id for one in candidates)
        told = Told(delivery, hook, project, event, service_ids, PUSHER)
        is_taken = is_for_environment(event, hook.rules, candidates)
        outcome = None if is_taken else await _follow(platform, work, told)
        if outcome is not None:
            await _note_outcome(platform, work, delivery, project, outcome)
            return
        decision = decide(event, hook.rules, candidates)
        if decision.service_ids:
            await _deploy(platform, work, delivery, project, decision)
            await _ask_status(platform, work, delivery, hook, environment=decision.environment)
        delivery.status = "done" if decision.service_ids else "ignored"
        delivery.reason = decision.reason
        delivery.processed_at = utc_now()
        emit(platform, work, "hook.delivered", project_id=project.id, data={"message": decision.reason})


async def _follow(platform: Platform, work: Work, told: Told) -> Outcome | None:
    """What came of it for previews; None when it is for an environment that is always there, or for none."""
    if (request := told.event.pull_request) is not None:
        return await follow_request(platform, work, told, request)
    return await follow_branch(platform, work, told)


async def _note_outcome(
    platform: Platform, work: Work, delivery: HookDelivery, project: Project, outcome: Outcome
) -> None:
    if outcome.group_id is not None:
        await _note_group(work, delivery, outcome.group_id)
    delivery.status, delivery.reason = "done" if outcome.is_done else "ignored", outcome.reason
    delivery.processed_at = utc_now()
    emit(platform, work, "hook.delivered", project_id=project.id, data={"message": outcome.reason})


async def _note_group(work: Work, delivery: HookDelivery, group_id: str) -> None:
    delivery.group_id = group_id
    members = await work.session.scalars(select(Deployment.id).where(Deployment.group_id == group_id))
    delivery.deployment_ids = list(members)


async def _deploy(platform: Platform, work: Work, delivery: HookDelivery, project: Project, decision: Decision) -> None:
    """One service is deployed by itself, several as a group that switches together."""
    event = to_event(delivery.event)
    wanted = Wanted(ref=event.revision)
    environment = await get_environment(work, project.id, decision.environment)
    if len(decision.service_ids) == 1:
        service = await work.session.get_one(Service, decision.service_ids[0])
        place = await get_place(work, project=project, service=service, environment=environment.name)
        deployment = await deploy(platform, work, place, wanted=wanted, caller=PUSHER, trigger=Trigger.PUSH)
        delivery.deployment_ids = [deployment.id]
        return
    group = await request_group(
        platform,
        work,
        project=project,
        environment=environment,
        wanted=dict.fromkeys(decision.service_ids, wanted),
        caller=PUSHER,
        trigger=Trigger.PUSH,
    )
    await _note_group(work, delivery, group.id)


async def _ask_status(platform: Platform, work: Work, delivery: HookDelivery, hook: Hook, *, environment: str) -> None:
    """Have the commit's status at the platform follow its deployments."""
    revision = str(delivery.event.get("revision") or "")
    if not revision:
        return
    facts = {"deployments": delivery.deployment_ids, "group": delivery.group_id}
    await ask_report(
        platform,
        work,
        project_id=hook.project_id,
        source_type=hook.source_type,
        repository=hook.repository,
        kind="status",
        target=f"{revision} {environment}",
        facts={**facts, "environment": environment, "revision": revision},
    )


async def note_failure(platform: Platform, delivery_id: str, error: TowlineError) -> None:
    """Write down what went wrong; what may pass is tried again."""
    _log.warning("Delivery %s could not be worked on: %s", delivery_id, error)
    async with platform.database.transaction() as work:
        delivery = await work.session.get(HookDelivery, delivery_id, with_for_update=True)
        if delivery is None or delivery.status != "queued":
            return
        delivery.attempts += 1
        delivery.reason = error.message
        delivery.not_before = utc_now() + _RETRY * delivery.attempts
        if not error.retryable or delivery.attempts >= _MOST_ATTEMPTS:
            delivery.status, delivery.processed_at = "failed", utc_now()
