"""Removal: what Docker still keeps of deleted services and environments, once nothing of them runs."""

import logging
from collections.abc import Collection, Coroutine
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select, update

from towline.actions.deployments.attempt import RUNNING
from towline.actions.platform import Platform
from towline.actions.settings import run_settings, volume_name
from towline.errors import TowlineError
from towline.models.deployments import Deployment, Release
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload

REMOVED = "removed"
"""What is wanted of a workload that is deleted and whose volumes are gone."""

_log = logging.getLogger(__name__)


async def remove_deleted(platform: Platform, *, running_workloads: Collection[str]) -> None:
    """Remove the volumes of deleted workloads that no longer run, forget their releases; then unused networks.

    What cannot be removed yet is left to the next round.
    """
    for workload_id in await _list_deleted_workloads(platform):
        if workload_id not in running_workloads:
            await _quietly(_remove_workload(platform, workload_id))
    networks = await _list_deleted_networks(platform)
    if networks:
        await _quietly(_remove_networks(platform, networks))


async def _list_deleted_workloads(platform: Platform) -> list[str]:
    is_deploying = exists().where(Deployment.workload_id == Workload.id, Deployment.status.in_(RUNNING))
    query = (
        select(Workload.id)
        .join(Service, Service.id == Workload.service_id)
        .join(Environment, Environment.id == Workload.environment_id)
        .join(Project, Project.id == Workload.project_id)
        .where(_is_deleted(Service, Environment, Project), Workload.wanted != REMOVED, ~is_deploying)
    )
    async with platform.database.transaction() as work:
        return list(await work.session.scalars(query))


async def _list_deleted_networks(platform: Platform) -> dict[str, str]:
    """Networks of deleted environments by the environment's id."""
    query = (
        select(Environment.id, Environment.network)
        .join(Project, Project.id == Environment.project_id)
        .where(_is_deleted(Environment, Project), Environment.network != "")
    )
    async with platform.database.transaction() as work:
        return {row.id: row.network for row in await work.session.execute(query)}


def _is_deleted(*models: type[Service | Environment | Project]) -> ColumnElement[bool]:
    return or_(*(model.deleted_at.is_not(None) for model in models))


async def _remove_workload(platform: Platform, workload_id: str) -> None:
    async with platform.database.transaction() as work:
        runs = list(await work.session.scalars(select(Release.run).where(Release.workload_id == workload_id)))
    names = {volume_name(workload_id, volume.name) for run in runs for volume in run_settings(run).volumes}
    for name in sorted(names):
        await platform.orchestrator.remove_volume(name)
    async with platform.database.transaction() as work:
        await work.session.execute(update(Release).where(Release.workload_id == workload_id).values(is_kept=False))
        await work.session.execute(update(Workload).where(Workload.id == workload_id).values(wanted=REMOVED))


async def _remove_networks(platform: Platform, networks: dict[str, str]) -> None:
    for name in networks.values():
        await platform.orchestrator.remove_network(name)
    still_there = set(await platform.orchestrator.list_networks())
    gone = [environment_id for environment_id, name in networks.items() if name not in still_there]
    async with platform.database.transaction() as work:
        await work.session.execute(update(Environment).where(Environment.id.in_(gone)).values(network=""))


async def _quietly(removal: Coroutine[Any, Any, None]) -> None:
    try:
        await removal
    except TowlineError as error:
        _log.warning("Something deleted is still there: %s", error)
