"""A stack from one file: planned, applied on an empty project, changed, refused when it fails, exported."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.e2e.parts import BASE, containers_of, environment_of, traffic, write_tree
from tests.running import RunningTowline

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

_FILE = """
project: {project}
variables: {{LEVEL: info}}
services:
  web:
    build: {{context: web, dockerfile: web/Dockerfile}}
    needs: [api]
    variables: {{API: "${{{{ services.api.internal_url }}}}"}}
  api:
    build: {{context: api, dockerfile: api/Dockerfile}}
    needs: [store]
    variables: {{KEY: "${{{{ services.store.variables.KEY }}}}"}}
  store:
    type: worker
    dockerfile_text: |
      FROM {base}
      CMD ["sleep", "1000000"]
    variables: {{KEY: {{secret: true, generate: true}}}}
"""


def _dockerfile(command: str) -> bytes:
    return f"FROM {BASE}\nCOPY www /www\nCMD {json.dumps(['sh', '-c', command])}\n".encode()


def _folder(path: Path, project: str, text: str, *, api: str = "exec httpd -f -p 8080 -h /www") -> Path:
    files: Mapping[str, bytes] = {
        "towline.yaml": _FILE.format(project=project, base=BASE).encode(),
        "web/Dockerfile": _dockerfile("exec httpd -f -p 8080 -h /www"),
        "web/www/index.html": f"web {text}".encode(),
        "api/Dockerfile": _dockerfile(api),
        "api/www/index.html": f"api {text}".encode(),
    }
    return write_tree(path, files)


def _run(towline: RunningTowline, folder: Path, *arguments: str, code: int = 0) -> str:
    command, *rest = arguments
    finished = towline.command(command, str(folder / "towline.yaml"), *rest, timeout=150)
    assert finished.returncode == code, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


def _served(towline: RunningTowline, project: str) -> list[str]:
    return [towline.get(f"{name}-{project}.localhost").text for name in ("web", "api")]


def test_a_stack_comes_up_from_one_file_and_a_bad_version_changes_nothing(
    towline: RunningTowline, project: str, tmp_path: Path
) -> None:
    folder = _folder(tmp_path / "one", project, "1")
    planned = _run(towline, folder, "plan")
    assert f"+ project {project}" in planned
    assert project not in [item.name for item in towline.client.projects.iterate()]
    applied = _run(towline, folder, "apply", "--yes")
    assert "Deploys: store → api → web" in applied
    assert _served(towline, project) == ["web 1", "api 1"]
    key = environment_of(containers_of(project, "store")[0])["KEY"]
    assert environment_of(containers_of(project, "api")[0])["KEY"] == key
    assert key not in applied

    assert "is as the file says" in _run(towline, folder, "plan")
    bad = _folder(tmp_path / "bad", project, "2", api="exit 3")
    with traffic(towline, f"web-{project}.localhost") as seen:
        _run(towline, bad, "apply", "--yes", code=9)
    assert seen.failures == []
    assert _served(towline, project) == ["web 1", "api 1"]

    good = _folder(tmp_path / "good", project, "3")
    with traffic(towline, f"web-{project}.localhost") as seen:
        _run(towline, good, "apply", "--yes")
    assert seen.failures == []
    assert _served(towline, project) == ["web 3", "api 3"]

    exported = towline.command("export", "--project", project).stdout
    assert key not in exported
    again = write_tree(tmp_path / "again", {"towline.yaml": exported.encode()})
    assert "is as the file says" in _run(towline, again, "plan", "--delete")


def test_a_compose_file_is_applied_with_what_could_not_be_carried(
    towline: RunningTowline, project: str, tmp_path: Path
) -> None:
    compose = f"""
services:
  web:
    build: ./web
    privileged: true
    ports: ["8080:8080"]
    depends_on: [store]
  store:
    image: {BASE}
    command: sleep 1000000
"""
    files = {
        "compose.yaml": compose.encode(),
        "web/Dockerfile": _dockerfile("exec httpd -f -p 8080 -h /www"),
        "web/www/index.html": b"composed",
    }
    folder = write_tree(tmp_path / "composed", files)
    finished = towline.command("apply", str(folder / "compose.yaml"), "--project", project, "--yes")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "web: `privileged` is not carried" in finished.stdout + finished.stderr
    assert towline.get(f"web-{project}.localhost").text == "composed"
