"""What there is of an environment on the whole machine, for tests that nothing is left of it."""

import asyncio

from sqlalchemy import text
from tests.e2e.parts import docker
from tests.running import RunningTowline

from towline.contract.previews import Preview
from towline.infra.database import Database
from towline.supervise.layout import Layout
from towline.supervise.postgres import postgres_url


def query(towline: RunningTowline, statement: str, **values: str) -> list[str]:
    """The first column of what a statement gives in Towline's own database."""

    async def run() -> list[str]:
        database = Database(postgres_url(Layout(towline.folder).sockets / "postgres"), pool_size=1)
        try:
            async with database.transaction() as work:
                found = await work.session.execute(text(statement), values)
                return [str(row[0]) for row in found]
        finally:
            await database.close()

    return asyncio.run(run())


def traces(towline: RunningTowline, preview: Preview) -> dict[str, list[str]]:
    """What there is of a preview: containers, networks, volumes, images, routes, rows."""
    folder, environment_id = towline.folder, preview.environment_id
    workloads = _workloads(towline, environment_id)
    return {
        "containers": [
            found
            for workload_id in workloads
            for found in docker("ps", "-aq", "--filter", f"label=towline.workload={workload_id}").split()
        ],
        "networks": docker("network", "ls", "-q", "--filter", f"label=towline.environment-id={environment_id}").split(),
        "volumes": [one for one in docker("volume", "ls", "-q").split() if _is_of(one, workloads)],
        "routes": [path.name for path in (folder / "traefik").rglob(f"*{environment_id}*")],
        "rows": query(
            towline,
            "SELECT id FROM environments WHERE id = :id UNION SELECT id FROM previews WHERE environment_id = :id "
            "UNION SELECT id FROM workloads WHERE environment_id = :id",
            id=environment_id,
        ),
    }


def images_of(project: str) -> set[str]:
    """Ids of the images that were built for a project."""
    return set(docker("image", "ls", "-q", "--no-trunc", "--filter", f"label=towline.project={project}").split())


def _is_of(volume: str, workload_ids: list[str]) -> bool:
    return any(workload_id.replace("_", "-") in volume for workload_id in workload_ids)


def _workloads(towline: RunningTowline, environment_id: str) -> list[str]:
    return query(towline, "SELECT id FROM workloads WHERE environment_id = :id", id=environment_id)
