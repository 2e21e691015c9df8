"""Databases as services: from a template, used by another service, dumped, restored, put back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.images import MARIADB, POSTGRES, REDIS, mariadb_tar, postgres_tar, redis_tar, shared_image
from tests.e2e.parts import containers_of, inspect, run_inside, succeeded
from tests.running import RunningTowline, wait_for

from towline.contract.deployments import DeployRequest
from towline.contract.services import Service, ServiceCreate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """An image under PostgreSQL's name."""
    with shared_image(POSTGRES, postgres_tar, "postgres") as tag:
        yield tag


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """An image under Redis's name."""
    with shared_image(REDIS, redis_tar, "redis-server") as tag:
        yield tag


@pytest.fixture(scope="module")
def mariadb() -> Iterator[str]:
    """An image under MariaDB's name."""
    with shared_image(MARIADB, mariadb_tar, "mariadbd") as tag:
        yield tag


def _run(towline: RunningTowline, *arguments: str) -> str:
    finished = towline.command(*arguments, timeout=200)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def _json(towline: RunningTowline, *arguments: str) -> Any:
    return json.loads(_run(towline, *arguments, "--json"))


def _sql(
    project: str, statement: str, *, service: str = "app", url: str = "$DATABASE_URL", quietly: bool = False
) -> str:
    (container,) = containers_of(project, service)
    end = " 2>/dev/null || true" if quietly else ""
    return run_inside(container, "sh", "-c", f'psql "{url}" -v ON_ERROR_STOP=1 -tAc "{statement}"{end}')


def _add_client(towline: RunningTowline, project: str, image: str, **variables: str) -> Service:
    """A service that sleeps, with what it takes to query the database."""
    given: dict[str, Any] = {
        "name": "app",
        "type": "worker",
        "source": {"type": "custom", "config": {"image": image}},
        "start_command": ["sleep", "100000"],
        "health": {"kind": "process"},
    }
    service = towline.client.services.create(project, ServiceCreate.model_validate(given))
    for name, value in variables.items():
        _run(towline, "env", "set", "-p", project, "-s", "app", f"{name}={value}")
    deployment = towline.client.services.deploy(project, "app", DeployRequest())
    succeeded(towline.client.wait_for_deployment(deployment.id, timeout=120))
    return service


def test_a_database_from_a_template_is_used_dumped_restored_and_put_back(
    towline: RunningTowline, project: str, postgres: str
) -> None:
    _run(towline, "projects", "create", project)
    _run(towline, "templates", "use", "postgresql", "-p", project, "--name", "store", "--yes")
    _add_client(towline, project, postgres, DATABASE_URL="${{ services.store.variables.URL }}")
    _sql(project, "create table items (name text); insert into items values ('kept')")

    dump = _json(towline, "backups", "create", f"{project}/store")
    assert (dump["status"], dump["kind"]) == ("success", "dump")
    _sql(project, "insert into items values ('later')")
    restored = _json(towline, "backups", "restore", dump["id"], "-p", project, "--name", "again")
    assert restored["status"] == "success"
    own = "postgresql://app:$PGPASSWORD@127.0.0.1:5432/app"
    assert _sql(project, "select name from items", service="again", url=own) == "kept"
    assert _sql(project, "select count(*) from items") == "2"

    check = ["psql", "-h", "127.0.0.1", "-U", "app", "-d", "app", "-c", "select 1 / count(*) from items"]
    _run(towline, "backups", "test", dump["id"], "-p", project, "--", *check)
    tested = _json(towline, "backups", "show", dump["id"], "-p", project)
    assert tested["test_status"] == "success"
    names = [service.name for service in towline.client.services.list_by_project(project).items]
    assert sorted(names) == ["again", "app", "store"]

    kept = _json(towline, "volumes", "snapshot", "data", "-p", project, "-s", "store")
    _sql(project, "drop table items")
    _run(towline, "volumes", "restore", "data", kept["id"], "-p", project, "-s", "store", "--yes")
    wait_for(lambda: _sql(project, "select count(*) from items", quietly=True) == "2", timeout=60)
    sizes = {row["service"]: row["size"] for row in _json(towline, "volumes", "list", "-p", project)["items"]}
    assert sizes["store"] > 1_000_000
    _check_unreachable(towline, project, postgres)


def _check_unreachable(towline: RunningTowline, project: str, image: str) -> None:
    """Neither another project nor another environment reaches the database, by address or name."""
    (store,) = containers_of(project, "store")
    address = str(next(iter(inspect(store)["NetworkSettings"]["Networks"].values()))["IPAddress"])
    other = f"{project}-x"
    _run(towline, "projects", "create", other)
    try:
        _add_client(towline, other, image)
        (stranger,) = containers_of(other, "app")
        for place in (address, "store"):
            said = run_inside(stranger, "sh", "-c", f"timeout 2 nc {place} 5432 </dev/null && echo reached || true")
            assert "reached" not in said
    finally:
        towline.client.projects.delete(other)


def test_a_cache_from_a_template_keeps_its_keys_through_dump_and_restore(
    towline: RunningTowline, project: str, redis: str
) -> None:
    _run(towline, "projects", "create", project)
    _run(towline, "templates", "use", "redis", "-p", project, "--name", "cache", "--yes")
    (cache,) = containers_of(project, "cache")
    run_inside(cache, "redis-cli", "-e", "set", "key", "kept")
    dump = _json(towline, "backups", "create", f"{project}/cache")
    run_inside(cache, "redis-cli", "-e", "set", "key", "later")
    _run(towline, "backups", "restore", dump["id"], "-p", project, "--name", "again")
    (again,) = containers_of(project, "again")
    assert run_inside(again, "redis-cli", "get", "key") == "kept"
    assert run_inside(cache, "redis-cli", "get", "key") == "later"


def test_a_mariadb_from_a_template_is_used_and_its_dump_can_be_restored(
    towline: RunningTowline, project: str, mariadb: str
) -> None:
    _run(towline, "projects", "create", project)
    _run(towline, "templates", "use", "mariadb", "-p", project, "--name", "store", "--yes")
    _add_client(towline, project, mariadb, DB_PASSWORD="${{ services.store.variables.MARIADB_PASSWORD }}")
    (client,) = containers_of(project, "app")
    statement = "create table items (name text); insert into items values ('kept'); select name from items"
    asked = f'mariadb --no-defaults -h store -uapp "-p$DB_PASSWORD" app -NBe "{statement}"'
    assert run_inside(client, "sh", "-c", asked) == "kept"

    dump = _json(towline, "backups", "create", f"{project}/store")
    assert (dump["status"], dump["kind"]) == ("success", "dump")
    check = ["mariadb", "--defaults-extra-file=/etc/towline/client.cnf", "app", "-e", "select name from items"]
    _run(towline, "backups", "test", dump["id"], "-p", project, "--", *check)
