"""Previews of a whole stack with real Docker and Traefik: own data, shared services, and nothing left afterwards."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.parts import BASE, containers_of, docker, inspect, run_inside, succeeded, write_tree
from tests.e2e.traces import images_of, query, traces
from tests.running import RunningTowline, wait_for

from towline.contract.groups import GroupService
from towline.contract.previews import Preview, PreviewCreate, PreviewUpdate
from towline.contract.releases import Release, ReleaseQuery
from towline.errors import NotFound
from towline.values import DeploymentStatus

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

_FILE = """
project: {project}
previews: {{main: web, lifetime_seconds: 86400}}
services:
  web:
    build: {{context: web, dockerfile: web/Dockerfile}}
    needs: [api]
    variables: {{API: "${{{{ services.api.internal_url }}}}:{port}"}}
  api:
    build: {{context: api, dockerfile: api/Dockerfile}}
    needs: [store]
    variables: {{STORE: "http://${{{{ services.store.host }}}}:8080"}}
  store:
    type: worker
    dockerfile_text: |
      FROM {base}
      CMD ["sh", "-c", "[ -f /data/note ] || echo new >/data/note; exec httpd -f -p 8080 -h /data"]
    volumes: {{data: /data}}
"""
_DOCKERFILE = f"""\
FROM {BASE}
COPY --chmod=755 index /www/cgi-bin/index
COPY page /www/index.html
"""
_API = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\napi @ '; exec wget -q -O - $STORE/note\n"
_WEB = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\nweb @ '; exec wget -q -O - $API/cgi-bin/index\n"


def _folder(towline: RunningTowline, path: Path, project: str, version: str) -> Path:
    port = towline.environment["TOWLINE_INTERNAL_PORT"]
    files = {
        "towline.yaml": _FILE.format(project=project, base=BASE, port=port),
        "web/Dockerfile": _DOCKERFILE,
        "web/index": _WEB.replace("@", version),
        "web/page": "page",
        "api/Dockerfile": _DOCKERFILE,
        "api/index": _API.replace("@", version),
        "api/page": "page",
    }
    return write_tree(path, {name: content.encode() for name, content in files.items()})


def _upload(towline: RunningTowline, path: Path, project: str, version: str) -> str:
    """The same in another version, sent to Towline; the upload's id."""
    folder = _folder(towline, path / version, project, version)
    files = {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}
    return towline.upload(project, files)


@pytest.fixture
def stack(towline: RunningTowline, project: str, tmp_path: Path) -> Iterator[str]:
    """The name of a project whose stack serves in production; what is in its store is `base`."""
    folder = _folder(towline, tmp_path / "one", project, "1")
    applied = towline.command("apply", str(folder / "towline.yaml"), "--yes", timeout=240)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    run_inside(containers_of(project, "store")[0], "sh", "-c", "echo base >/data/note")
    assert _answer(towline, f"web-{project}") == "web 1 api 1 base"
    yield project
    for preview in towline.client.previews.list(project).items:
        towline.client.previews.delete(project, preview.name)


def _answer(towline: RunningTowline, label: str) -> str:
    return towline.get(f"{label}.localhost", "/cgi-bin/index").text.strip()


def _follow(towline: RunningTowline, preview: Preview) -> None:
    assert preview.group is not None
    ended = towline.client.groups.wait(preview.project, preview.group, timeout=180)
    assert ended.status is DeploymentStatus.SUCCESS, ended


def test_a_preview_has_its_own_data_is_updated_and_leaves_nothing(
    towline: RunningTowline, stack: str, tmp_path: Path
) -> None:
    before = images_of(stack)
    made = towline.client.previews.create(stack, PreviewCreate(name="try"))
    _follow(towline, made)
    assert _answer(towline, f"{stack}-try") == "web 1 api 1 new"
    assert _answer(towline, f"api-{stack}-try") == "api 1 new"
    run_inside(_container(stack, "store", "try"), "sh", "-c", "echo own >/data/note")

    upload = _upload(towline, tmp_path, stack, "2")
    services = [GroupService(service=name, upload=upload) for name in ("web", "api")]
    _follow(towline, towline.client.previews.update(stack, "try", PreviewUpdate(services=services)))
    assert _answer(towline, f"{stack}-try") == "web 2 api 2 own"
    assert _answer(towline, f"web-{stack}") == "web 1 api 1 base"
    assert images_of(stack) > before
    assert all(traces(towline, made)[kind] for kind in ("networks", "volumes", "routes", "rows"))

    volumes = traces(towline, made)["volumes"]
    assert towline.command("previews", "delete", "try", "-p", stack, "--yes").returncode == 0
    with pytest.raises(NotFound):
        towline.client.previews.get(stack, "try")
    wait_for(lambda: not any(traces(towline, made).values()) or None, timeout=120)
    assert not set(volumes) & set(docker("volume", "ls", "-q").split())
    wait_for(lambda: images_of(stack) == before or None, timeout=60)
    assert _answer(towline, f"web-{stack}") == "web 1 api 1 base"


def test_a_shared_service_is_that_of_production_and_the_preview_goes_when_its_time_is_over(
    towline: RunningTowline, stack: str
) -> None:
    alone = towline.client.previews.create(stack, PreviewCreate(name="alone", scope="service"))
    _follow(towline, alone)
    assert _answer(towline, f"{stack}-alone") == "web 1 api 1 base"
    beside = towline.client.previews.create(stack, PreviewCreate(name="beside", shared=["store"]))
    _follow(towline, beside)
    assert _answer(towline, f"{stack}-beside") == "web 1 api 1 base"

    # A second, since the visits just now may still be noted, and begin the lifetime anew.
    shortened = "UPDATE previews SET lifetime = 1, expires_at = now() WHERE project_id = :id RETURNING id"
    query(towline, shortened, id=alone.project_id)
    for preview in (alone, beside):
        wait_for(lambda one=preview: not any(traces(towline, one).values()) or None, timeout=120)
    assert towline.client.previews.list(stack).items == []
    assert _answer(towline, f"web-{stack}") == "web 1 api 1 base"


def test_a_preview_starts_with_a_copy_of_the_base_s_data_and_its_image_is_promoted(
    towline: RunningTowline, stack: str, tmp_path: Path
) -> None:
    made = towline.client.previews.create(stack, PreviewCreate(name="cart", copies_data=["store"]))
    _follow(towline, made)
    wait_for(lambda: _answer(towline, f"{stack}-cart") == "web 1 api 1 base" or None, timeout=120)
    run_inside(_container(stack, "store", "cart"), "sh", "-c", "echo own >/data/note")
    assert _answer(towline, f"{stack}-cart") == "web 1 api 1 own"
    assert _answer(towline, f"web-{stack}") == "web 1 api 1 base"

    services = [GroupService(service="web", upload=_upload(towline, tmp_path, stack, "2"))]
    _follow(towline, towline.client.previews.update(stack, "cart", PreviewUpdate(services=services)))
    assert _answer(towline, f"{stack}-cart") == "web 2 api 1 own"
    images, builds = images_of(stack), query(towline, "SELECT id FROM builds ORDER BY id")
    (release,) = [one for one in _releases(towline, stack, "cart") if one.is_current]
    promoted = towline.client.releases.promote(stack, "web", release=release.number, from_environment="cart")
    succeeded(towline.client.wait_for_deployment(promoted.id, timeout=120))
    assert _answer(towline, f"web-{stack}") == "web 2 api 1 base"
    assert (
        inspect(_container(stack, "web", "production"))["Image"] == inspect(_container(stack, "web", "cart"))["Image"]
    )
    assert (images_of(stack), query(towline, "SELECT id FROM builds ORDER BY id")) == (images, builds)

    towline.client.previews.delete(stack, "cart")
    wait_for(lambda: not any(traces(towline, made).values()) or None, timeout=120)
    assert _answer(towline, f"web-{stack}") == "web 2 api 1 base"


def _releases(towline: RunningTowline, project: str, environment: str) -> list[Release]:
    return towline.client.releases.list(project, "web", ReleaseQuery(environment=environment)).items


def _container(project: str, service: str, environment: str) -> str:
    """The container of a service in an environment, once there is exactly one."""

    def look() -> str | None:
        found = [one for one in containers_of(project, service) if _environment(one) == environment]
        return found[0] if len(found) == 1 else None

    return wait_for(look, timeout=60)


def _environment(container: str) -> str:
    found = json.loads(docker("inspect", "--format", "{{json .Config.Env}}", container))
    return next(one.removeprefix("TOWLINE_ENVIRONMENT=") for one in found if one.startswith("TOWLINE_ENVIRONMENT="))
