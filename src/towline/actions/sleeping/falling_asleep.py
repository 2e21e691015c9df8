"""Falling asleep: what visitors reach first, then, once nothing of that runs any more, all it may have needed."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import aliased

from towline.actions.deletion import publish_soon
from towline.actions.platform import Platform
from towline.actions.sleep import SLEEPING, Sleep, tell
from towline.infra.database import Work
from towline.models.deployments import Deployment
from towline.models.projects import Environment
from towline.models.services import Instance, Service, Workload
from towline.values import OPEN_STATUSES, ServiceType


async def fall_asleep(platform: Platform, environment_id: str, *, now: datetime) -> bool:
    """Let an environment fall asleep unless it is asked for in this very moment; whether it does.

    Its routes lead to the waker from here on; requests that an instance has already are answered by it before it is
    stopped, as in every rollout.
    """
    async with platform.database.transaction() as work:
        seen = await work.session.get(Environment, environment_id)
        workloads = await _lock(work, environment_id, Service.type == ServiceType.WEB)
        if seen is None or not workloads or await _is_deploying(work, environment_id):
            return False
        statement = (
            update(Environment)
            .where(Environment.id == environment_id, Environment.sleep == Sleep.AWAKE)
            .where(Environment.last_asked_at.is_not_distinct_from(seen.last_asked_at))
            .values(sleep=Sleep.ASLEEP.value, sleep_changed_at=now)
            .returning(Environment.id)
            .execution_options(synchronize_session=False)
        )
        if (await work.session.execute(statement)).first() is None:
            return False
        _send(platform, work, workloads)
        publish_soon(platform, work, [environment_id])
        project_id, name = seen.project_id, seen.name
        tell(platform, work, Sleep.ASLEEP, project_id=project_id, environment_id=environment_id, name=name)
    return True


async def finish_falling_asleep(platform: Platform) -> None:
    """Stop the rest of sleeping environments where nothing that visitors reach runs any more."""
    web, other = aliased(Workload), aliased(Workload)
    still_runs = exists().where(
        web.environment_id == Environment.id,
        Service.id == web.service_id,
        Service.type == ServiceType.WEB.value,
        Instance.workload_id == web.id,
    )
    has_more = exists().where(other.environment_id == Environment.id, other.wanted == "running")
    query = select(Environment.id).where(Environment.sleep == Sleep.ASLEEP, has_more, ~still_runs)
    async with platform.database.transaction() as work:
        found = (await work.session.scalars(query.order_by(Environment.id))).all()
    for environment_id in found:
        async with platform.database.transaction() as work:
            workloads = await _lock(work, environment_id, Service.type != "")
            is_asleep = select(Environment.id).where(
                Environment.id == environment_id, Environment.sleep == Sleep.ASLEEP
            )
            if await work.session.scalar(is_asleep.with_for_update()) and not await _is_deploying(work, environment_id):
                _send(platform, work, workloads)


def _send(platform: Platform, work: Work, workloads: Sequence[Workload]) -> None:
    for workload in workloads:
        workload.wanted = SLEEPING
        work.after_commit(lambda one=workload.id: platform.bell.ring(f"reconcile {one}"))


async def _lock(work: Work, environment_id: str, condition: ColumnElement[bool]) -> Sequence[Workload]:
    """Running workloads of an environment, locked in the order of their ids as everywhere."""
    query = (
        select(Workload)
        .join(Service, Service.id == Workload.service_id)
        .where(Workload.environment_id == environment_id, Workload.wanted == "running", condition)
        .order_by(Workload.id)
        .with_for_update(of=Workload)
    )
    return (await work.session.scalars(query)).all()


async def _is_deploying(work: Work, environment_id: str) -> bool:
    is_open = exists().where(Deployment.environment_id == environment_id, Deployment.status.in_(OPEN_STATUSES))
    return bool(await work.session.scalar(select(is_open)))
