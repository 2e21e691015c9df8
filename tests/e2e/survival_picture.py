"""Everything that Towline leaves on a machine, in a form that is equal whenever nothing is missing or left over."""

import asyncio
import fcntl
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import asyncpg
import orjson
from tests.e2e.survival_machine import Machine

from towline.infra.scratch import memory_folder
from towline.supervise.layout import Layout

Picture = Mapping[str, object]
Row = Mapping[str, Any]

_QUERIES = {
    "deployments that are not final": """
        SELECT count(*) FROM deployments WHERE finished_at IS NULL OR lease_until IS NOT NULL""",
    "deployments with an open step": """
        SELECT count(*) FROM deployments, jsonb_array_elements(steps) AS entry WHERE entry->>'finished_at' IS NULL""",
    "deployments without their release": """
        SELECT count(*) FROM deployments d LEFT JOIN releases r ON r.deployment_id = d.id
        WHERE d.status = 'success' AND r.id IS DISTINCT FROM d.release_id""",
    "releases beyond the deployments": "SELECT (SELECT count(*) FROM releases) - (SELECT count(*) FROM deployments)",
    "builds beyond the deployments": "SELECT (SELECT count(*) FROM builds) - (SELECT count(*) FROM deployments)",
    "numbers that were skipped": """
        SELECT sum(next_release_number - 1 - (SELECT count(*) FROM releases r WHERE r.workload_id = w.id)
        + next_deployment_number - 1 - (SELECT count(*) FROM deployments d WHERE d.workload_id = w.id))::int
        FROM workloads w""",
    "events without a number": "SELECT count(*) FROM events WHERE sequence IS NULL",
    "gaps in logs": """
        SELECT coalesce(sum(last_sequence - (SELECT count(*) FROM log_lines WHERE log_id = l.id)), 0)::int
        FROM logs l""",
    "locks that outlive their use": """
        SELECT count(*) FROM pg_locks
        WHERE locktype = 'advisory' AND NOT (classid = 0 AND objid::bigint / 100 = 74200)""",
}
_WORKLOADS = """
    SELECT s.name, w.wanted, w.replicas, w.health, w.health_error, w.restarts, w.next_restart_at IS NULL AS is_calm,
    r.number = w.next_release_number - 1 AS serves_newest
    FROM workloads w JOIN services s ON s.id = w.service_id LEFT JOIN releases r ON r.id = w.release_id"""
_INSTANCES = """
    SELECT i.*, s.name AS service, i.release_id = w.release_id AS is_current
    FROM instances i JOIN workloads w ON w.id = i.workload_id JOIN services s ON s.id = w.service_id"""


def take_picture(machine: Machine, data: Path) -> Picture:
    """What is there now: containers, networks, images, processes, files and rows, without ids, addresses and times."""
    rows = asyncio.run(_read_rows(data))
    containers = machine.inspect("container")
    addresses = {str(row["address"]): str(row["service"]) for row in rows["instances"]}
    return {
        "containers": _containers(containers, rows["instances"]),
        "networks": sorted(machine.docker("network", "ls", "--format={{.Name}}").split()),
        "volumes": machine.docker("volume", "ls", "--quiet"),
        "images": _images(machine.inspect("image"), rows["releases"]),
        "strangers": machine.list_strangers(),
        "shims beyond containers": len(machine.list_shims()) - len(containers),
        "temporary files": _temporary_files(data),
        "bundles beyond releases": _count_bundles(data) - len({row["bundle_digest"] for row in rows["releases"]}),
        "routes": _routes(data, addresses),
        "workloads": sorted(str(tuple(row.values())) for row in rows["workloads"]),
        "rows": {name: rows[name][0]["number"] for name in _QUERIES},
    }


async def connect(data: Path) -> Any:
    """An asyncpg connection to the embedded PostgreSQL of a data folder; the driver's own types are incomplete."""
    sockets = Layout(data).sockets / "postgres"
    return await cast("Any", asyncpg).connect(host=str(sockets), user="towline", database="towline", timeout=5)


async def _read_rows(data: Path) -> dict[str, Sequence[Row]]:
    connection = await connect(data)
    try:
        found = {"workloads": _WORKLOADS, "instances": _INSTANCES, "releases": "SELECT * FROM releases"}
        rows: dict[str, Sequence[Row]] = {name: await connection.fetch(query) for name, query in found.items()}
        for name, query in _QUERIES.items():
            rows[name] = [{"number": await connection.fetchval(query)}]
    finally:
        await connection.close()
    return rows


def _containers(containers: Sequence[Row], instances: Sequence[Row]) -> list[str]:
    """One line for each container with what its row says of it, and one for each row without a container."""
    rows = {str(row["engine_id"]): row for row in instances}
    lines = [_container(container, rows.pop(str(container["Id"]), None)) for container in containers]
    return sorted([*lines, *(f"{row['service']}: a row without a container" for row in rows.values())])


def _container(container: Row, row: Row | None) -> str:
    labels = container["Config"]["Labels"]
    networks = container["NetworkSettings"]["Networks"]
    facts = [labels.get("towline.service"), container["State"]["Status"], *sorted(networks)]
    facts.append(container["HostConfig"]["RestartPolicy"]["Name"])
    if row is None:
        return " ".join(map(str, [*facts, "without a row"]))
    has_address = row["address"] in [network["IPAddress"] for network in networks.values()]
    is_of_release = labels["towline.release"] == row["release_id"] and row["is_current"]
    return " ".join(map(str, [*facts, f"{has_address=} {is_of_release=}", f"is_routed={row['is_routed']}"]))


def _images(images: Sequence[Row], releases: Sequence[Row]) -> dict[str, int]:
    """Images that no release has, by their names; and releases without their image."""
    known = {str(row["image"]) for row in releases}
    present = {str(image["Id"]) for image in images}
    others = Counter(str(image["RepoTags"]) for image in images if image["Id"] not in known)
    return {**others, "missing": len(known - present)}


def _temporary_files(data: Path) -> list[str]:
    folders = [data / "tmp", data / "artifacts/tmp", data / "uploads/tmp", data / "traefik/routes.new"]
    found = [str(path.relative_to(data)) for folder in folders if folder.is_dir() for path in folder.iterdir()]
    builds = memory_folder("builds")
    return found + [str(path) for path in (builds.iterdir() if builds.is_dir() else ()) if not _is_in_use(path)]


def _is_in_use(folder: Path) -> bool:
    """Whether a process holds the folder; other Towlines of this computer share its parent."""
    try:
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _count_bundles(data: Path) -> int:
    return sum(path.is_file() for path in (data / "artifacts/sha256").rglob("*"))


def _routes(data: Path, addresses: Mapping[str, str]) -> dict[str, list[str]]:
    """Of each file in the watched folder: which service's instances each of its services leads to."""
    found: dict[str, list[str]] = {}
    for path in (data / "traefik/routes").iterdir():
        services: dict[str, Any] = orjson.loads(path.read_bytes())["http"]["services"]
        found[path.name] = sorted(
            f"{sorted(_server(server['url'], addresses) for server in service['loadBalancer']['servers'])}"
            for service in services.values()
        )
    return found


def _server(url: str, addresses: Mapping[str, str]) -> str:
    address = url.removeprefix("http://").partition(":")[0]
    return "towline" if address == "127.0.0.1" else addresses.get(address, f"nobody at {address}")
