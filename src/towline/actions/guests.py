"""Guests: instances of a base environment that its previews reach by the plain name of their service."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from towline.actions.platform import Platform
from towline.errors import NotFound
from towline.models.previews import Preview
from towline.models.projects import Environment
from towline.models.services import Service, Workload
from towline.values import InstanceState


@dataclass(frozen=True, slots=True)
class _Host:
    """A preview's network, and what is to be found there, by workload: the name of its service."""

    network: str
    wanted: dict[str, str]


async def admit_guests(platform: Platform, *, preview_id: str = "") -> None:
    """Bring the instances of what previews share (of one preview, or of all) into the previews' networks.

    An instance that is there already stays; whoever has a network for a moment only is left to the next round.
    """
    hosts = await _list_hosts(platform, preview_id)
    if not hosts:
        return
    instances = await platform.orchestrator.list_instances()
    for host in hosts:
        for instance in instances:
            name = host.wanted.get(instance.workload_id)
            if name is not None and instance.state is InstanceState.RUNNING:
                try:
                    await platform.orchestrator.admit_guest(instance, host.network, aliases=(name,))
                except NotFound:
                    break


async def _list_hosts(platform: Platform, preview_id: str) -> list[_Host]:
    query = (
        select(Preview.shared, Preview.base_environment_id, Environment.network)
        .join(Environment, Environment.id == Preview.environment_id)
        .where(Preview.state != "removing", Environment.deleted_at.is_(None), Environment.network != "")
        .order_by(Preview.id)
    )
    if preview_id:
        query = query.where(Preview.id == preview_id)
    async with platform.database.transaction() as work:
        rows: list[tuple[list[Any], str, str]] = [
            (shared, base, network) for shared, base, network in await work.session.execute(query) if shared
        ]
        services = {service_id for shared, _, _ in rows for service_id in shared}
        found = await work.session.execute(
            select(Workload.environment_id, Workload.service_id, Workload.id, Service.name)
            .join(Service, Service.id == Workload.service_id)
            .where(Workload.service_id.in_(services), Service.deleted_at.is_(None), Workload.release_id.is_not(None))
        )
        workloads: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        for environment_id, service_id, workload_id, name in found:
            workloads[environment_id, service_id][workload_id] = name
    return [
        _Host(network, {key: name for one in shared for key, name in workloads[base, one].items()})
        for shared, base, network in rows
    ]
