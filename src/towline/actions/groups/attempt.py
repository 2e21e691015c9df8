"""GroupAttempt: one worker's hold on a group and all its built members; claim, lease, fence, cancel."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate

from towline.actions.deployments.attempt import RUNNING
from towline.actions.deployments.waiting import OPEN, begin_group, emit_group, is_held_up
from towline.actions.graph.decision import Decision, MemberState, decide
from towline.actions.hold import Hold
from towline.actions.platform import Platform
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.groups import Group
from towline.values import DeploymentStatus

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A group that this worker holds, with all its deployments as they were then."""

    group: Group
    deployments: Sequence[Deployment]

    @property
    def built(self) -> list[Deployment]:
        """Members that are held with the group."""
        return [one for one in self.deployments if one.is_built and one.status in RUNNING]


def state_of(deployment: Deployment) -> MemberState:
    """How far a member is."""
    if deployment.status == DeploymentStatus.SUCCESS:
        return MemberState.LIVE
    if DeploymentStatus(deployment.status).is_final:
        return MemberState.LOST
    return MemberState.BUILT if deployment.is_built else MemberState.PENDING


def decide_on(group: Group, deployments: Sequence[Deployment]) -> Decision:
    """What has to happen next with a group, as its rows say."""
    return decide(
        [state_of(deployment) for deployment in deployments],
        is_switched=group.switched_at is not None,
        is_cancelled=group.cancel_requested_at is not None,
    )


async def claim_next_group(platform: Platform) -> Claimed | None:
    """Take the oldest group that has something to be done and nobody who does it; None when there is none."""
    try:
        return await _claim_next_group(platform)
    except IntegrityError:
        # Another worker was faster to take one of its workloads.
        return None


async def _claim_next_group(platform: Platform) -> Claimed | None:
    async with platform.database.transaction() as work:
        found = (await work.session.execute(_claimable())).first()
        if found is None:
            return None
        group_id, now = found
        # Members before their group, as everyone who changes both locks them.
        query = select(Deployment).where(Deployment.group_id == group_id).order_by(Deployment.id).with_for_update()
        deployments = (await work.session.scalars(query)).all()
        lease_until = now + platform.settings.lease
        facts = {"worker": platform.worker_name, "lease_until": lease_until, "queue_reason": ""}
        statement = (
            update(Group)
            .where(Group.id == group_id, Group.status.in_(OPEN), _is_free())
            .values(attempt=Group.attempt + 1, **facts)
            .returning(Group)
        )
        group = (await work.session.scalars(statement)).one_or_none()
        if group is None:
            return None
        if decide_on(group, deployments) is Decision.START:
            await begin_group(platform, work, group.id)
            for deployment in deployments:
                if deployment.status == DeploymentStatus.QUEUED:
                    deployment.status, deployment.started_at = DeploymentStatus.BUILDING.value, utc_now()
        claimed = Claimed(group, deployments)
        for deployment in claimed.built:
            deployment.attempt += 1
            deployment.worker, deployment.lease_until = platform.worker_name, lease_until
            deployment.queue_reason = ""
    return claimed


@cache
def _claimable() -> Select[str, datetime]:
    """Built once, like the same of deployments; with the database's time, since workers' clocks may differ."""
    member = Deployment.group_id == Group.id
    is_pending = exists().where(member, Deployment.status.in_(OPEN), ~Deployment.is_built)
    lost = (DeploymentStatus.FAILED.value, DeploymentStatus.CANCELLED.value, DeploymentStatus.SUPERSEDED.value)
    is_broken = exists().where(member, Deployment.status.in_(lost))
    other = aliased(Deployment)
    is_queued = and_(member, Deployment.status == DeploymentStatus.QUEUED.value)
    is_taken = exists().where(other.workload_id == Deployment.workload_id, other.status.in_(RUNNING))
    is_waiting = exists().where(is_queued, or_(is_held_up(), is_taken))
    can_start = and_(~is_pending, ~is_waiting)
    has_work = or_(can_start, is_broken, Group.cancel_requested_at.is_not(None))
    is_open = and_(Group.status.in_(OPEN), _is_free())
    return select(Group.id, func.now()).where(is_open, has_work).order_by(Group.created_at).limit(1)


def _is_free() -> ColumnElement[bool]:
    return or_(Group.lease_until.is_(None), Group.lease_until < func.now())


class GroupAttempt(Hold):
    """A claimed group. Every write names the attempt it belongs to; zero rows means another worker took over."""

    def __init__(self, platform: Platform, claimed: Claimed) -> None:
        super().__init__(platform, claimed.group.id, title=f"Group {claimed.group.number}")
        self.group = claimed.group
        self.is_cancelled = claimed.group.cancel_requested_at is not None and claimed.group.switched_at is None

    async def enter(self, step: str, *, progress: float) -> None:
        """Begin a step of the whole group: recorded and told."""
        async with self.platform.database.transaction() as work:
            await self.write(work, status=DeploymentStatus.DEPLOYING.value, step=step)
            emit_group(self.platform, work, self.group, "group.progress", progress=progress)

    async def write(self, work: Work, **values: Any) -> None:
        """Write facts about the group; FenceLost when another worker has taken it over."""
        facts = {"attempt": self.group.attempt, **values}
        statement = update(Group).where(self._mine()).values(facts).returning(Group)
        row = (await work.session.scalars(statement, execution_options={"populate_existing": True})).one_or_none()
        if row is None:
            raise self.fence_lost()
        # Kept apart from the session: a rollback of this transaction would leave an object that cannot be read.
        work.session.expunge(row)
        self.group = row

    async def hand_back(self, *, after: timedelta, reason: str) -> None:
        """Let the next attempt begin after a while."""
        await self.let_go()
        async with self.platform.database.transaction() as work:
            await self.write(work, lease_until=func.now() + after, queue_reason=reason)

    def _mine(self) -> Any:
        return and_(Group.id == self.group.id, Group.attempt == self.group.attempt, Group.status.in_(OPEN))

    def _renewal(self) -> ReturningUpdate[datetime | None, datetime | None]:
        lease_until = func.now() + self.platform.settings.lease
        columns = (Group.cancel_requested_at, Group.switched_at)
        return update(Group).where(self._mine()).values(lease_until=lease_until).returning(*columns)

    def _note(self, row: Row[*tuple[Any, ...]]) -> None:
        cancelled_at, switched_at = row
        self.is_cancelled = cancelled_at is not None and switched_at is None


async def expire_dead_group_leases(platform: Platform, *, host: str, live_workers: frozenset[str]) -> None:
    """End the leases on groups of this host's workers that are no longer running."""
    async with platform.database.transaction() as work:
        await work.session.execute(
            update(Group)
            .where(Group.status.in_(OPEN), Group.lease_until.is_not(None))
            .where(Group.worker.startswith(f"{host}:", autoescape=True), Group.worker.not_in(live_workers))
            .values(lease_until=text("now() - interval '1 second'"))
        )


async def release_group_leases(platform: Platform, worker: str) -> None:
    """Let other workers take over at once the groups that this worker holds; called when it stops."""
    async with platform.database.transaction() as work:
        await work.session.execute(
            update(Group)
            .where(Group.worker == worker, Group.status.in_(OPEN), Group.lease_until.is_not(None))
            .values(lease_until=func.now())
        )
