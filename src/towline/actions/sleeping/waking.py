"""Waking up: everything of an environment is started again in the order of what needs what, as the rows say."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import select, update

from towline.actions.deletion import publish_soon
from towline.actions.dependencies import get_graph
from towline.actions.graph.order import needs_of
from towline.actions.platform import Platform
from towline.actions.sleep import SLEEPING, WAKE_BELL, Sleep, tell
from towline.errors import Unavailable
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.projects import Environment
from towline.models.services import Instance, Workload

_LONGEST: Final = timedelta(minutes=10)
_LOOK_SECONDS: Final = 0.1
_REST_SECONDS: Final = 5.0


async def wake_sleepers(platform: Platform) -> None:
    """Wake what is to be woken, at once when the bell rings; runs until cancelled."""
    while True:
        try:
            await _wake_on_ring(platform)
        except Unavailable:
            await asyncio.sleep(_REST_SECONDS)


async def _wake_on_ring(platform: Platform) -> None:
    async with platform.bell.listen() as ringing:
        while True:
            rest = _LOOK_SECONDS if await wake_up(platform) else _REST_SECONDS
            await ringing.wait_for(WAKE_BELL, timeout=rest)


async def wake_up(platform: Platform) -> bool:
    """Take every waking environment a step further; whether any is left that is not awake yet."""
    query = select(Environment.id).where(Environment.sleep == Sleep.WAKING).order_by(Environment.id)
    async with platform.database.transaction() as work:
        waking = (await work.session.scalars(query)).all()
    steps = [await _take_step(platform, environment_id) for environment_id in waking]
    return not all(steps)


async def _take_step(platform: Platform, environment_id: str) -> bool:
    """Start what has all it needs; True once there is nothing left to wait for."""
    async with platform.database.transaction() as work:
        locked = select(Workload).where(Workload.environment_id == environment_id).order_by(Workload.id)
        workloads = (await work.session.scalars(locked.with_for_update())).all()
        environment = await work.session.get(Environment, environment_id, with_for_update=True)
        if environment is None or environment.sleep != Sleep.WAKING or environment.deleted_at is not None:
            return True
        is_late = (environment.sleep_changed_at or utc_now()) + _LONGEST < utc_now()
        settled = await _list_settled(work, workloads)
        startable = [one for one in workloads if one.wanted == SLEEPING]
        if not is_late:
            startable = await _with_all_they_need(work, environment, startable, settled=settled)
        await _start(platform, work, startable)
        is_over = is_late or all(settled.get(one.service_id) for one in workloads)
        if is_over:
            environment.sleep, environment.sleep_changed_at = Sleep.AWAKE.value, utc_now()
            publish_soon(platform, work, [environment_id])
            project_id, name = environment.project_id, environment.name
            tell(platform, work, Sleep.AWAKE, project_id=project_id, environment_id=environment_id, name=name)
        return is_over


async def _list_settled(work: Work, workloads: Sequence[Workload]) -> Mapping[str, bool]:
    """By service whether nothing more is to be expected of its start: it serves, has failed, or is not to run."""
    query = select(Instance.workload_id).where(
        Instance.workload_id.in_([one.id for one in workloads]), Instance.is_routed
    )
    serving = set(await work.session.scalars(query))
    return {one.service_id: _is_settled(one, is_serving=one.id in serving) for one in workloads}


def _is_settled(workload: Workload, *, is_serving: bool) -> bool:
    if workload.wanted == SLEEPING:
        return False
    is_idle = workload.wanted != "running" or workload.release_id is None or workload.replicas == 0
    return is_idle or is_serving or workload.restarts > 0


async def _with_all_they_need(
    work: Work, environment: Environment, sleeping: Sequence[Workload], *, settled: Mapping[str, bool]
) -> list[Workload]:
    if not sleeping:
        return []
    graph = (await get_graph(work, environment.project_id)).needs
    return [
        one
        for one in sleeping
        if all(settled.get(need, True) for need in needs_of(graph, [one.service_id]) - {one.service_id})
    ]


async def _start(platform: Platform, work: Work, workloads: Sequence[Workload]) -> None:
    for workload in workloads:
        values = {"wanted": "running", "restarts": 0, "next_restart_at": None}
        await work.session.execute(update(Workload).where(Workload.id == workload.id).values(values))
        work.after_commit(lambda one=workload.id: platform.bell.ring(f"reconcile {one}"))
