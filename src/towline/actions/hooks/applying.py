"""Applying the project file of a push: its plan carried out, and all it changes deployed, in one transaction."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Final

from sqlalchemy import exists, func, select

from towline.actions.audit import record
from towline.actions.deploying import Wanted
from towline.actions.environments import get_environment
from towline.actions.events import emit
from towline.actions.groups.requests import request_group
from towline.actions.hooks.comparing import complete_paths
from towline.actions.hooks.files import Origin, applies_file, fetch_file, find_origin
from towline.actions.hooks.finding import list_candidates, select_delivery
from towline.actions.hooks.receiving import to_event
from towline.actions.hooks.rules import PRODUCTION, decide
from towline.actions.hooks.working import (
    PUSHER,
    brings_file,
    is_due,
    note_failure,
    work_on,
)
from towline.actions.platform import Platform
from towline.actions.project_files.applying import Application, lock_name
from towline.actions.project_files.planning import Plan, Request, make_plan
from towline.actions.project_files.state import UPLOAD, ProjectState, ServiceState
from towline.actions.repositories import repository_of
from towline.actions.service_sources import find_remote, seal_credential
from towline.errors import InvalidInput, TowlineError, UnexpectedError
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.hooks import Hook, HookDelivery
from towline.models.projects import Project
from towline.models.services import Service
from towline.sources.base import WebhookEvent
from towline.values import Trigger

ReadFile = Callable[[str, str], Request]
"""Makes of a file's text, and its name for messages, what it wants; raises InvalidInput with the place in it."""

_AT_ONCE: Final = 4
_log = logging.getLogger(__name__)


async def apply_pushed_files(platform: Platform, read: ReadFile) -> None:
    """Work on pushes to repositories whose file is applied: of each the oldest first, different ones side by side."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def work_on_one(delivery_id: str) -> None:
        async with places:
            try:
                await _work_on(platform, read, delivery_id)
            except TowlineError as error:
                await note_failure(platform, delivery_id, error)
            except Exception as error:
                _log.exception("Delivery %s failed unexpectedly", delivery_id)
                await note_failure(platform, delivery_id, UnexpectedError.of(error))

    seen: set[str] = set()
    while waiting := set(await _list_waiting(platform)) - seen:
        seen |= waiting
        async with asyncio.TaskGroup() as tasks:
            for delivery_id in waiting:
                tasks.create_task(work_on_one(delivery_id))


async def _list_waiting(platform: Platform) -> Sequence[str]:
    """The oldest waiting delivery of each hook."""
    place = func.row_number().over(partition_by=HookDelivery.hook_id, order_by=(HookDelivery.created_at,))
    waiting = (
        select(HookDelivery.id, place.label("place"))
        .join(Hook, Hook.id == HookDelivery.hook_id)
        .join(Project, Project.id == Hook.project_id)
        .where(HookDelivery.status == "queued", Project.deleted_at.is_(None), is_due(), brings_file())
        .subquery()
    )
    async with platform.database.transaction() as work:
        return (await work.session.scalars(select(waiting.c.id).where(waiting.c.place == 1))).all()


async def _work_on(platform: Platform, read: ReadFile, delivery_id: str) -> None:
    await complete_paths(platform, [delivery_id])
    async with platform.database.transaction() as work:
        row = (await work.session.execute(select_delivery(delivery_id))).first()
        if row is None:
            return
        delivery, hook, project = row
        event = to_event(delivery.event)
        applies = applies_file(hook, event, await list_candidates(work, hook))
        services = await _list_services(work, project)
        is_late = applies and await _was_overtaken(work, delivery, event)
    if not applies:
        await work_on(platform, delivery_id)
        return
    if is_late:
        await _end(platform, delivery_id, "A newer push of this branch was applied already.")
        return
    origin = find_origin(platform, hook, event, services)
    text = await fetch_file(platform, hook, event, origin)
    await _apply(platform, delivery_id, read(text, hook.project_file), origin)


async def _was_overtaken(work: Work, delivery: HookDelivery, event: WebhookEvent) -> bool:
    """Whether a newer push was done while this one was tried again: an old file must not take its place."""
    newer = exists().where(
        HookDelivery.hook_id == delivery.hook_id,
        HookDelivery.created_at > delivery.created_at,
        HookDelivery.status == "done",
        HookDelivery.event["ref"].astext == event.ref,
    )
    return bool(await work.session.scalar(select(newer)))


async def _end(platform: Platform, delivery_id: str, reason: str) -> None:
    async with platform.database.transaction() as work:
        row = (await work.session.execute(select_delivery(delivery_id).with_for_update(of=HookDelivery))).first()
        if row is not None:
            delivery, _, project = row
            _close(platform, work, delivery, project, status="ignored", reason=reason)


async def _apply(platform: Platform, delivery_id: str, request: Request, origin: Origin) -> None:
    async with platform.database.transaction() as work:
        row = (await work.session.execute(select_delivery(delivery_id).with_for_update(of=HookDelivery))).first()
        if row is None:
            return
        delivery, hook, project = row
        await lock_name(work, project.name)
        request = await _as_pushed(work, request, project, hook, origin)
        plan = await make_plan(platform, work, project, request)
        _check(plan, hook)
        application = Application(platform, work, project, PUSHER, plan, request)
        await application.make_changes()
        await _hand_credential_on(platform, work, project, hook, origin)
        await _deploy(platform, work, delivery, hook, project, plan)
        changes = [f"{item.action} {item.kind} {item.service} {item.name}" for item in plan.differences]
        detail = {"hook": hook.id, "revision": to_event(delivery.event).revision, "changes": changes}
        record(work, PUSHER, "projectFiles.apply", project_id=project.id, object_id=project.id, detail=detail)
        _close(platform, work, delivery, project, status="done", reason=_told(plan, hook))


async def _as_pushed(work: Work, request: Request, project: Project, hook: Hook, origin: Origin) -> Request:
    """The request with services that name no source built from the pushed repository."""
    wanted = request.wanted
    if wanted.name != project.name:
        raise InvalidInput(f"{hook.project_file} is of the project {wanted.name!r}, and the hook of {project.name!r}.")
    present = {service.name: service for service in await _list_services(work, project)}

    def pushed(name: str, service: ServiceState) -> ServiceState:
        if service.settings["source"]["type"] != UPLOAD:
            return service
        there = present.get(name)
        source = {"type": origin.source_type, "config": origin.config}
        if there is not None and repository_of(there.source_config) == hook.repository:
            source = {"type": there.source_type, "config": there.source_config}
        return replace(service, settings={**service.settings, "source": source})

    services = {name: pushed(name, service) for name, service in wanted.services.items()}
    state: ProjectState = replace(wanted, services=services)
    return replace(request, wanted=state)


def _check(plan: Plan, hook: Hook) -> None:
    """A push does what managing services allows, and no more."""
    if any(item.kind == "project" and item.is_change for item in plan.differences):
        raise InvalidInput(
            f"{hook.project_file} changes the project itself, which a push may not.",
            hint="An owner applies it by hand: `towline apply`.",
        )


async def _hand_credential_on(platform: Platform, work: Work, project: Project, hook: Hook, origin: Origin) -> None:
    """Services that the file built from the repository open it as the others do."""
    if origin.credential is None:
        return
    for service in await _list_services(work, project):
        is_of_it = repository_of(service.source_config) == hook.repository
        if is_of_it and service.source_credential is None and find_remote(service) == origin.remote:
            service.source_credential = seal_credential(platform, service, asdict(origin.credential))


async def _deploy(
    platform: Platform, work: Work, delivery: HookDelivery, hook: Hook, project: Project, plan: Plan
) -> None:
    """One group of what the file changed and of what the push touched."""
    event = to_event(delivery.event)
    services = {service.id: service for service in await _list_services(work, project)}
    changed = {name for step in plan.deploys for name in step}
    chosen = {service.id for service in services.values() if service.name in changed}
    chosen.update(decide(event, hook.rules, await list_candidates(work, hook)).service_ids)
    if not chosen:
        return
    pushed = Wanted(ref=event.revision)
    wanted = {
        one: pushed if repository_of(services[one].source_config) == hook.repository else Wanted() for one in chosen
    }
    environment = await get_environment(work, project.id, PRODUCTION)
    group = await request_group(
        platform,
        work,
        project=project,
        environment=environment,
        wanted=wanted,
        caller=PUSHER,
        trigger=Trigger.PUSH,
    )
    delivery.group_id = group.id
    members = await work.session.scalars(select(Deployment.id).where(Deployment.group_id == group.id))
    delivery.deployment_ids = list(members)


def _told(plan: Plan, hook: Hook) -> str:
    count = sum(item.is_change for item in plan.differences)
    missing = [item.name for item in plan.differences if item.action == "missing"]
    said = f"Applied {hook.project_file}: {count} change{'' if count == 1 else 's'}."
    return f"{said} These secrets have no value yet: {', '.join(missing)}." if missing else said


def _close(
    platform: Platform, work: Work, delivery: HookDelivery, project: Project, *, status: str, reason: str
) -> None:
    delivery.status, delivery.reason, delivery.processed_at = status, reason, utc_now()
    emit(platform, work, "hook.delivered", project_id=project.id, data={"message": reason})


async def _list_services(work: Work, project: Project) -> Sequence[Service]:
    query = select(Service).where(Service.project_id == project.id, Service.deleted_at.is_(None))
    return (await work.session.scalars(query.order_by(Service.name))).all()
