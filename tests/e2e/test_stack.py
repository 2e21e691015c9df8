"""A real stack from one file: web → api → PostgreSQL and Redis, a worker and a cron service."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.images import POSTGRES, REDIS, postgres_tar, redis_tar, shared_image
from tests.e2e.parts import traffic, write_tree
from tests.running import RunningTowline, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

_FILE = """
project: {project}
services:
  web:
    build: {{context: web, dockerfile: web/Dockerfile}}
    needs: [api]
    health: /
    variables: {{API: "http://api.internal:{port}"}}
  api:
    build: {{context: api, dockerfile: api/Dockerfile}}
    needs: [db, cache]
    health: /cgi-bin/state
    variables: &api
      DATABASE_URL: ${{{{ services.db.variables.URL }}}}
      CACHE_PASSWORD: ${{{{ services.cache.variables.PASSWORD }}}}
  worker:
    type: worker
    build: {{context: api, dockerfile: api/Dockerfile}}
    command: [sh, -c, "while true; do psql $DATABASE_URL -qc \\"insert into seen values ('worker')\\"; sleep 1; done"]
    needs: [api]
    variables: *api
  nightly:
    type: cron
    build: {{context: api, dockerfile: api/Dockerfile}}
    command: [psql, -d, app, -qc, "insert into seen values ('cron')"]
    schedule: 0 3 * * *
    needs: [db]
    variables:
      PGHOST: ${{{{ services.db.host }}}}
      PGUSER: app
      PGPASSWORD: ${{{{ services.db.variables.POSTGRES_PASSWORD }}}}
  db:
    type: database
    image: {postgres}
    port: 5432
    volumes: {{data: /var/lib/postgresql/data}}
    health: {{kind: command, command: [psql, -h, 127.0.0.1, -U, app, -d, app, -c, select 1]}}
    variables:
      POSTGRES_USER: app
      POSTGRES_DB: app
      POSTGRES_PASSWORD: {{secret: true, generate: true}}
      URL: postgresql://app:${{{{ variables.POSTGRES_PASSWORD }}}}@${{{{ services.db.host }}}}:5432/app
  cache:
    type: database
    image: {redis}
    port: 6379
    command: [sh, -c, "exec redis-server --requirepass $PASSWORD --protected-mode no --dir /tmp --save ''"]
    health: {{kind: tcp}}
    variables:
      PASSWORD: {{secret: true, generate: true}}
"""
_API = f"""\
FROM {POSTGRES}
COPY --chmod=755 state /www/cgi-bin/state
COPY version /www/version
ENTRYPOINT []
CMD ["/bin/sh", "-c", "psql $DATABASE_URL -qc 'create table if not exists seen (by text)'; @LAST@"]
"""
_STATE = """\
#!/bin/sh
found="select string_agg(by, ',' order by by) from (select distinct by from seen) x"
rows=$(psql "$DATABASE_URL" -tAc "$found") || exit 1
count() { printf 'AUTH %s\\r\\nINCR hits\\r\\nQUIT\\r\\n' "$CACHE_PASSWORD" | timeout 2 nc cache 6379; }
hits=$(count | /bin/busybox tr -d '\\r' | /bin/busybox sed -n 's/^://p')
printf 'Content-Type: text/plain\\r\\n\\r\\n%s rows=%s hits=%s' "$(cat /www/version)" "$rows" "$hits"
"""
_WEB = f"""\
FROM {POSTGRES}
COPY --chmod=755 index /www/cgi-bin/index
COPY page /www/index.html
ENTRYPOINT []
CMD ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
"""
_INDEX = """\
#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\nweb '
exec /bin/busybox wget -q -O - "$API/cgi-bin/state"
"""


@pytest.fixture(scope="module")
def images() -> Iterator[None]:
    """Images of PostgreSQL and Redis under the names they stand for."""
    with (
        shared_image(POSTGRES, postgres_tar, "postgres"),
        shared_image(REDIS, redis_tar, "redis-server"),
    ):
        yield


def _folder(towline: RunningTowline, path: Path, project: str, version: str, *, is_bad: bool = False) -> Path:
    port = towline.environment["TOWLINE_INTERNAL_PORT"]
    last = "exit 3" if is_bad else "exec /bin/busybox httpd -f -p 8080 -h /www"
    files = {
        "towline.yaml": _FILE.format(project=project, port=port, postgres=POSTGRES, redis=REDIS),
        "api/Dockerfile": _API.replace("@LAST@", last),
        "api/state": _STATE,
        "api/version": f"api-{version}",
        "web/Dockerfile": _WEB,
        "web/index": _INDEX,
        "web/page": f"page {version}",
    }
    return write_tree(path, {name: text.encode() for name, text in files.items()})


def _apply(towline: RunningTowline, folder: Path, *, code: int = 0) -> str:
    finished = towline.command("apply", str(folder / "towline.yaml"), "--yes", timeout=240)
    assert finished.returncode == code, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


def _state(towline: RunningTowline, project: str) -> str:
    return towline.get(f"web-{project}.localhost", "/cgi-bin/index").text


def test_a_stack_from_one_file_serves_survives_a_bad_release_and_goes_back(
    towline: RunningTowline, project: str, images: None, tmp_path: Path
) -> None:
    first = _apply(towline, _folder(towline, tmp_path / "1", project, "1"))
    assert "Deploys: cache, db → api, nightly → web, worker" in first
    wait_for(lambda: "rows=worker" in _state(towline, project) or None, timeout=20)
    ran = towline.command("run", f"{project}/nightly")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    wait_for(lambda: "web api-1 rows=cron,worker" in _state(towline, project) or None, timeout=20)

    with traffic(towline, f"web-{project}.localhost") as seen:
        _apply(towline, _folder(towline, tmp_path / "bad", project, "2", is_bad=True), code=9)
    assert seen.failures == []
    assert "web api-1 " in _state(towline, project)

    with traffic(towline, f"web-{project}.localhost") as seen:
        _apply(towline, _folder(towline, tmp_path / "2", project, "2"))
        assert "web api-2 " in _state(towline, project)
        back = towline.command("group", "rollback", "--project", project, timeout=240)
        assert back.returncode == 0, back.stdout + back.stderr
    assert seen.failures == []
    assert "web api-1 rows=cron,worker hits=" in _state(towline, project)
