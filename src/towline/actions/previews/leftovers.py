"""Leftovers: what engine and router still have of a preview's environment."""

from typing import Final

from sqlalchemy import select

from towline.actions.platform import Platform
from towline.actions.settings import volume_name
from towline.actions.strays import network_ending
from towline.models.services import Workload

_COUNT_SECONDS: Final = 10.0


async def list_leftovers(platform: Platform, environment_id: str) -> list[str]:
    """What is left of an environment apart from rows: instances, volumes, its network, its routes. Empty: nothing.

    Volumes and routes that are still there are removed on the way, since whoever did it may have died before.
    """
    async with platform.database.transaction() as work:
        query = select(Workload.id).where(Workload.environment_id == environment_id)
        workload_ids = set(await work.session.scalars(query))
    instances = await platform.orchestrator.list_instances()
    left = [f"instance {instance.name}" for instance in instances if instance.workload_id in workload_ids]
    for name in await platform.orchestrator.list_volumes(timeout_seconds=_COUNT_SECONDS):
        if any(name.startswith(volume_name(workload_id, "")) for workload_id in workload_ids):
            left.append(f"volume {name}")
            await platform.orchestrator.remove_volume(name)
    networks = await platform.orchestrator.list_networks()
    left += [f"network {name}" for name in networks if name.endswith(network_ending(environment_id))]
    if environment_id in await platform.router.list_owners():
        left.append("routes")
        await platform.router.remove(environment_id)
    return left
