"""Members: what a worker works with while it runs a group, read at once for all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import select, update

from towline.actions.dependencies import get_graph
from towline.actions.deployments.attempt import Attempt
from towline.actions.deployments.job import Job, load_jobs
from towline.actions.deployments.progress import emit_progress
from towline.actions.deployments.rollout import Rollout, prepare
from towline.actions.graph.order import Graph, limited_to
from towline.actions.groups.attempt import Claimed, GroupAttempt
from towline.actions.logs import LogWriter
from towline.actions.platform import Platform
from towline.actions.variables import open_variables
from towline.infra.database import Work
from towline.models.deployments import Deployment, Release
from towline.values import InstanceState

AT_ONCE = 8
"""Members that are written or read side by side: each takes a connection, and the API shares the pool."""

T = TypeVar("T")


@dataclass
class Member:
    """One deployment of the group that this worker holds."""

    attempt: Attempt
    job: Job
    made: Release | None

    @property
    def release(self) -> Release:
        """What it puts live; there once it is built or found."""
        assert self.made is not None
        return self.made

    @property
    def id(self) -> str:
        """The member's service, by which the graph names it."""
        return self.job.service.id

    @property
    def name(self) -> str:
        """The service's name."""
        return self.job.service.name


@dataclass
class Crew:
    """All held members of a group, and who of them needs whom."""

    run: GroupAttempt
    members: Sequence[Member]
    graph: Graph

    @property
    def platform(self) -> Platform:
        """The platform."""
        return self.run.platform

    async def write_all(self, work: Work, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Write facts about members, by service, in one statement, and tell them.

        The caller's transaction writes the group as well, whose fence is theirs.
        """
        attempts = {member.id: member.attempt for member in self.members if member.id in values}
        if not attempts:
            return
        rows = [{"id": attempts[one].deployment.id, **values[one]} for one in attempts]
        await work.session.execute(update(Deployment), sorted(rows, key=lambda row: row["id"]))
        for one, attempt in attempts.items():
            for name, value in values[one].items():
                setattr(attempt.deployment, name, value)
            emit_progress(self.platform, work, attempt.deployment)


async def assemble(run: GroupAttempt, claimed: Claimed, stack: AsyncExitStack) -> Crew:
    """Read what is needed of every built member; their logs are open as long as the stack."""
    platform, built = run.platform, claimed.built
    async with platform.database.transaction() as work:
        jobs = await load_jobs(work, [one.workload_id for one in built])
        query = select(Release).where(Release.id.in_([one.release_id for one in built if one.release_id]))
        releases = {release.id: release for release in await work.session.scalars(query)}
        graph = await get_graph(work, run.group.project_id)
    members = [
        await _open_member(platform, one, stack, job=jobs[one.workload_id], release=releases.get(one.release_id or ""))
        for one in built
    ]
    return Crew(run, members, limited_to(graph.needs, {member.id for member in members}))


async def _open_member(
    platform: Platform, deployment: Deployment, stack: AsyncExitStack, *, job: Job, release: Release | None
) -> Member:
    log = await stack.enter_async_context(LogWriter(platform, deployment.id, project_id=deployment.project_id))
    if release is not None:
        _, secrets = open_variables(platform, release.variables, release_id=release.id)
        log.masker.add(secrets)
    return Member(Attempt(platform, deployment, log), job, release)


async def prepare_all(crew: Crew) -> dict[str, Rollout]:
    """Look at what runs of each member, and remove what an earlier attempt started; rollouts by service."""

    instances = await crew.platform.orchestrator.list_instances()

    async def one(member: Member) -> Rollout:
        mine = [item for item in instances if item.workload_id == member.job.workload.id]
        return await prepare(member.attempt, member.job, member.release, instances=mine)

    rollouts = await side_by_side(one, crew.members)
    return {member.id: rollout for member, rollout in zip(crew.members, rollouts, strict=True)}


def stops_first(rollout: Rollout) -> bool:
    """Whether something of the service runs that must stop before its new instance may start."""
    return bool(rollout.settings.volumes) and any(item.state is InstanceState.RUNNING for item in rollout.old)


M = TypeVar("M")


async def side_by_side(call: Callable[[M], Awaitable[T]], members: Sequence[M], *, at_once: int = AT_ONCE) -> list[T]:
    """Call for all members, so many at once; the results in their order. The first error ends the others."""
    slots = asyncio.Semaphore(at_once)

    async def bounded(member: M) -> T:
        async with slots:
            return await call(member)

    tasks = [asyncio.create_task(bounded(member)) for member in members]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
