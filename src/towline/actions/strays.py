"""Strays: networks and routes of environments that no row knows, since a process died while it made them."""

from sqlalchemy import select

from towline.actions.platform import Platform
from towline.models.projects import Environment

_ENDING = 6


async def remove_strays(platform: Platform) -> None:
    """Remove networks and routes of unknown environments.

    Volumes stay: after an older database was restored, those of newer services are unknown too, and hold data.
    """
    # Listed before the rows are read, so that what is made meanwhile is not among them.
    networks = await platform.orchestrator.list_networks()
    owners = await platform.router.list_owners()
    async with platform.database.transaction() as work:
        environment_ids = set(await work.session.scalars(select(Environment.id)))
    endings = {network_ending(environment_id) for environment_id in environment_ids}
    for name in networks:
        if network_ending(name) not in endings:
            await platform.orchestrator.remove_network(name)
    for owner in owners:
        if owner.startswith("env_") and owner not in environment_ids:
            await platform.router.remove(owner)


def network_ending(name_or_id: str) -> str:
    """How the names of an environment's networks end, whatever the project is called; from its id, or such a name."""
    return f"-{name_or_id[-_ENDING:]}"
