"""Candidates: their addresses are rows and routes before the first starts, so that each finds the others' new ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from towline.actions.deployments.rollout import Rollout
from towline.actions.groups.members import Crew
from towline.actions.routes import publish_environment
from towline.infra.database import Work
from towline.models.groups import Candidate


async def announce(crew: Crew, rollouts: Mapping[str, Rollout]) -> None:
    """Choose the address of every instance that will be started, and publish the routes among them in one step.

    Where addresses cannot be fixed, candidates become known when they are healthy.
    """
    if not _is_wanted(crew, rollouts):
        return
    network = crew.members[0].job.environment.network
    count = sum(rollout.replicas for rollout in rollouts.values())
    addresses = list(await crew.platform.orchestrator.choose_addresses(network, count=count))
    if not addresses:
        return
    for rollout in rollouts.values():
        mine = tuple(addresses.pop() for _ in range(rollout.replicas))
        rollout.spec = replace(rollout.spec, addresses=mine)
    async with crew.platform.database.transaction() as work:
        await forget_candidates(work, crew)
        for rollout in rollouts.values():
            await _write(work, rollout, rollout.spec.addresses, port=_port(rollout))
    await publish_environment(crew.platform, crew.run.group.environment_id)


async def correct(crew: Crew, rollouts: Mapping[str, Rollout], rollout: Rollout) -> None:
    """Publish where a healthy member really is, when that was not known before: found port, other address."""
    found = tuple(instance.address for instance in rollout.started)
    expected = {(address, _expected_port(rollout)) for address in rollout.spec.addresses}
    if not _is_wanted(crew, rollouts) or {(address, _port(rollout)) for address in found} == expected:
        return
    async with crew.platform.database.transaction() as work:
        mine = Candidate.deployment_id == rollout.attempt.deployment.id
        await work.session.execute(delete(Candidate).where(mine))
        await _write(work, rollout, found, port=_port(rollout))
    await publish_environment(crew.platform, crew.run.group.environment_id)


async def forget_candidates(work: Work, crew: Crew) -> None:
    """Delete the routes among candidates; the next publication leaves them out."""
    ids = [member.attempt.deployment.id for member in crew.members]
    await work.session.execute(delete(Candidate).where(Candidate.deployment_id.in_(ids)))


def _is_wanted(crew: Crew, rollouts: Mapping[str, Rollout]) -> bool:
    """Whether there is a name to be called by, and somebody else to call it."""
    return len(crew.members) > 1 and any(rollout.job.is_web for rollout in rollouts.values())


async def _write(work: Work, rollout: Rollout, addresses: Sequence[str], *, port: int | None) -> None:
    if not addresses:
        return
    facts = {
        "deployment_id": rollout.attempt.deployment.id,
        "workload_id": rollout.job.workload.id,
        "environment_id": rollout.job.environment.id,
        "port": port,
    }
    await work.session.execute(insert(Candidate).values([{**facts, "address": address} for address in addresses]))


def _port(rollout: Rollout) -> int | None:
    return rollout.served_port


def _expected_port(rollout: Rollout) -> int | None:
    return (rollout.release.port or rollout.release.image_port) if rollout.job.is_web else None
