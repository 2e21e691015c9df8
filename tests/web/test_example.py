"""The example, made and deployed by one call."""

from pathlib import Path

import pytest
from sqlalchemy import update
from tests.web.door import Door

from towline.actions.access import Caller
from towline.actions.example import deploy_example
from towline.errors import Unavailable
from towline.infra.example import BUSYBOX, is_static, pack_example
from towline.models.deployments import Deployment


async def test_one_call_makes_the_project_and_its_deployment(door: Door) -> None:
    ann = await door.add_person()
    made = await ann.post("/example")
    assert (made["project"], made["service"], made["status"]) == ("hello", "hello", "queued")
    project, service = await ann.get("/projects/hello"), await ann.get("/projects/hello/services/hello")
    assert (project["role"], service["port"], service["source"]["type"]) == ("owner", 8080, "upload")
    assert await door.platform.uploads.has_upload(made["ref"])
    actions = [entry["action"] for entry in (await ann.get("/audit", project="hello"))["items"]]
    assert actions == ["projects.createExample"]


async def test_what_is_under_way_or_live_is_left_and_what_failed_is_deployed_again(door: Door) -> None:
    ann = await door.add_person()
    first = await ann.post("/example")
    assert (await ann.post("/example"))["id"] == first["id"]
    await _end(door, first["id"], status="success")
    assert (await ann.post("/example"))["id"] == first["id"]
    await _end(door, first["id"], status="failed")
    again = await ann.post("/example")
    assert (again["number"], again["ref"]) == (2, first["ref"])


async def test_a_project_of_that_name_is_nobody_elses_to_use(door: Door) -> None:
    ann, bob = await door.add_person(), await door.add_person()
    shop = await ann.post("/projects", {"name": "hello"})
    viewer = await door.add_member(shop["id"], "viewer")
    refused = await bob.call("POST", "/example")
    taken = await bob.call("POST", "/projects", json={"name": "hello"})
    assert (refused.status_code, refused.json()["detail"]) == (409, taken.json()["detail"])
    assert (await viewer.call("POST", "/example")).status_code == 403
    assert (await ann.post("/example"))["project_id"] == shop["id"]


async def test_a_service_with_another_source_is_not_overwritten(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "hello"})
    source = {"type": "custom", "config": {"image": "app:1"}}
    await ann.post("/projects/hello/services", {"name": "hello", "source": source})
    assert (await ann.call("POST", "/example")).status_code == 409


async def test_without_its_program_nothing_is_made(door: Door, tmp_path: Path) -> None:
    ann = await door.add_person()
    with pytest.raises(Unavailable, match="busybox-static") as refused:
        async with door.platform.database.transaction() as work:
            await deploy_example(
                door.platform, work, Caller(ann.user_id), project=None, service_fields={}, program=tmp_path / "none"
            )
    assert "Install busybox-static" in refused.value.hint
    assert (await ann.call("GET", "/projects/hello")).status_code == 404


def test_the_archive_is_the_same_each_time_and_needs_a_program_without_a_loader(tmp_path: Path) -> None:
    assert pack_example(BUSYBOX) == pack_example(BUSYBOX)
    dynamic = tmp_path / "dynamic"
    dynamic.write_bytes(b"\x7fELF" + bytes(100) + b"/lib64/ld-linux-x86-64.so.2")
    assert [is_static(path) for path in (BUSYBOX, dynamic, tmp_path / "none")] == [True, False, False]


async def _end(door: Door, deployment_id: str, *, status: str) -> None:
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(Deployment).where(Deployment.id == deployment_id).values(status=status))
