"""Starting: each member as soon as everything it needs is healthy; the first failure stops all of it."""

import asyncio
from collections.abc import Collection, Mapping

from towline.actions.deployments.rollout import Rollout, run_release_command, start_batch, stop_old_first
from towline.actions.graph.schedule import Schedule, group_schedule
from towline.actions.groups.candidates import correct
from towline.actions.groups.members import Crew, stops_first
from towline.errors import TowlineError


class MemberFailed(Exception):
    """A member could not be started; `error` says why."""

    def __init__(self, service_id: str, error: TowlineError) -> None:
        super().__init__(error.message)
        self.service_id = service_id
        self.error = error


async def start_all(crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    """Start every member's new instances and wait for their health; MemberFailed for the first that does not make it.

    Nothing is switched. Those whose old instance has to stop come last, when everything else is healthy.
    """
    late = [service_id for service_id, rollout in rollouts.items() if stops_first(rollout)]
    schedule = group_schedule(crew.graph, late=late)
    tasks: dict[asyncio.Task[None], str] = {}
    ready = schedule.begin()
    await _tell_waiting(crew, schedule, late=late)
    try:
        while not schedule.is_over:
            for service_id in ready:
                tasks[asyncio.create_task(_start(crew, rollouts, service_id), name=f"start {service_id}")] = service_id
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                _note_end(schedule, tasks.pop(task), task)
            ready = schedule.begin()
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _tell_waiting(crew: Crew, schedule: Schedule, *, late: Collection[str]) -> None:
    """Say of every member that cannot start yet what it waits for."""
    names = {member.id: member.name for member in crew.members}
    reasons: dict[str, dict[str, str]] = {}
    for waiting in names.keys() - schedule.running:
        needed = " and ".join(sorted(names[need] for need in crew.graph[waiting]))
        awaited = "all other services" if waiting in late else needed
        reasons[waiting] = {"queue_reason": f"Waiting for {awaited} to be healthy."}
    async with crew.platform.database.transaction() as work:
        await crew.write_all(work, reasons)
        await crew.run.write(work)


def _note_end(schedule: Schedule, service_id: str, task: "asyncio.Task[None]") -> None:
    try:
        task.result()
    except TowlineError as error:
        raise MemberFailed(service_id, error) from error
    schedule.succeed(service_id)


async def _start(crew: Crew, rollouts: Mapping[str, Rollout], service_id: str) -> None:
    rollout = rollouts[service_id]
    if rollout.settings.volumes:
        await stop_old_first(rollout)
    await run_release_command(rollout)
    if rollout.replicas:
        await start_batch(rollout, rollout.replicas)
        rollout.attempt.end_step()
        await correct(crew, rollouts, rollout)
