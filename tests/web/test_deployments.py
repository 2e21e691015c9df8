"""Deployments and releases through the HTTP door."""

from typing import Any

import pytest
from sqlalchemy import insert, update
from tests.stand_ins import World, make_world
from tests.web.door import Door, Person

from towline.actions.keys import add_key
from towline.contract.deployments import Deployment, DeploymentList
from towline.contract.releases import ReleaseList
from towline.models import deployments as rows
from towline.models.base import utc_now
from towline.names import new_id
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator

DEPLOY = "/projects/shop/services/web/deploy"


@pytest.fixture
async def world(door: Door) -> World:
    """A project `shop` with the service `web`."""
    return await make_world(door.platform)


@pytest.fixture
async def ann(door: Door, world: World) -> Person:
    """The owner of `shop`."""
    return await door.add_key(world.user.id)


async def test_a_deployment_is_queued_and_shown_through_its_life(ann: Person, world: World) -> None:
    answer = await ann.call("POST", DEPLOY, json={"image": "app:1"})
    assert answer.status_code == 202
    queued = Deployment.model_validate(answer.json())
    assert (queued.status, queued.number, queued.ref, queued.service) == ("queued", 1, "app:1", "web")
    assert queued.queue_reason == "All workers are busy."
    assert queued.requested_by == world.user.email
    await world.run_next()
    done = Deployment.model_validate(await ann.get(f"/deployments/{queued.id}"))
    assert (done.status, done.step, done.release, done.error) == ("success", "done", 1, None)
    assert done.urls == ["http://web-shop.localhost"]
    assert done.steps[-1].seconds is not None
    assert done.image


async def test_a_failed_deployment_says_why(ann: Person, world: World) -> None:
    queued = await ann.post("/deployments", {"project": "shop", "service": "web", "image": "missing:1"})
    await world.run_next()
    failed = Deployment.model_validate(await ann.get(f"/deployments/{queued['id']}"))
    assert failed.error is not None
    assert (failed.status, failed.error.code) == ("failed", "image-not-found")
    assert failed.error.hint


async def test_a_waiting_deployment_names_the_one_it_waits_for(ann: Person, world: World) -> None:
    await ann.post(DEPLOY, {"image": "app:1"})
    async with world.platform.database.transaction() as work:
        await work.session.execute(update(rows.Deployment).values(status="building"))
    waiting = await ann.post(DEPLOY, {"image": "app:2"})
    assert waiting["queue_reason"] == "Waiting for deployment 1 of this service."
    listed = (await ann.get("/deployments", status="queued"))["items"]
    assert [item["queue_reason"] for item in listed] == [waiting["queue_reason"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ref": "main"}, "ref"),
        ({"image": "Nginx"}, "image"),
        ({"image": "a//b"}, "image"),
        ({"upload": "sha256:" + "0" * 64}, "upload"),
        ({"dockerfile": "   "}, "image"),
        ({"image": "a", "ref": "b"}, None),
        ({"environment": "nowhere\0"}, "environment"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_field(
    ann: Person, world: World, body: dict[str, Any], field: str | None
) -> None:
    answer = await ann.call("POST", DEPLOY, json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert (await ann.get("/deployments"))["items"] == []


@pytest.mark.parametrize("ref", ["a..b", "/a", "a/", "a.lock", "@", "a@{1}", "a//b", ".a", "a/.b", "-x", "a b", "a."])
async def test_a_ref_must_be_valid_by_gits_rules(ann: Person, world: World, ref: str) -> None:
    await world.change_service(source_type="git", source_config={"url": "https://git.example.com/a.git"})
    answer = await ann.call("POST", DEPLOY, json={"ref": ref})
    assert (answer.status_code, answer.json()["field"]) == (422, "ref")


async def test_a_git_service_takes_a_ref_and_an_inline_dockerfile_instead(ann: Person, world: World) -> None:
    await world.change_service(source_type="git", source_config={"url": "https://git.example.com/a.git"})
    by_ref = await ann.post(DEPLOY, {"ref": "feature/x-1"})
    by_file = await ann.post(DEPLOY, {"dockerfile": "FROM scratch\n", "no_cache": True})
    first, second = [await world.get_deployment(item["id"]) for item in (by_ref, by_file)]
    assert (first.source_type, first.ref, first.status) == ("git", "feature/x-1", "superseded")
    assert (second.source_type, second.source_config) == ("custom", {"dockerfile": "FROM scratch\n"})
    assert by_file["no_cache"] is True


async def test_cancel_ends_a_waiting_deployment_and_refuses_a_final_one(ann: Person, world: World) -> None:
    queued = await ann.post(DEPLOY, {"image": "app:1"})
    assert (await ann.post(f"/deployments/{queued['id']}/cancel"))["status"] == "cancelled"
    again = await ann.call("POST", f"/deployments/{queued['id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_rollback_goes_by_number_by_deployment_or_one_back(ann: Person, world: World) -> None:
    first = await world.deploy_successfully("app:1")
    await world.deploy_successfully("app:2")
    place = {"project": "shop", "service": "web"}
    for body in ({**place, "release": 1}, {"deployment": first.id}, place):
        queued = Deployment.model_validate(await ann.post("/deployments/rollback", body))
        assert (queued.trigger, queued.rollback_of) == ("rollback", 1)
    await world.run_next()
    assert (await ann.get("/projects/shop/services/web/status"))["release"] == 1
    missing = await ann.call("POST", "/deployments/rollback", json={**place, "release": 9})
    assert missing.status_code == 404


async def test_releases_say_which_serves_and_which_can_be_gone_back_to(ann: Person, world: World) -> None:
    for number in (1, 2, 3):
        await world.deploy_successfully(f"app:{number}")
    orchestrator = world.platform.orchestrator
    assert isinstance(orchestrator, MemoryOrchestrator)
    path = "/projects/shop/services/web/releases"
    first = ReleaseList.model_validate(await ann.get(path, limit=2))
    rest = ReleaseList.model_validate(await ann.get(path, limit=2, cursor=first.next_cursor))
    releases = [*first.items, *rest.items]
    assert [(item.number, item.is_current, item.can_rollback) for item in releases] == [
        (3, True, False),
        (2, False, True),
        (1, False, True),
    ]
    for instance in await orchestrator.list_instances():
        await orchestrator.remove(instance, grace_seconds=0)
    await orchestrator.remove_image(releases[-1].image)
    gone = ReleaseList.model_validate(await ann.get(path)).items[-1]
    assert (gone.can_rollback, gone.rollback_problem) == (False, "Its image is no longer on this machine.")


async def test_a_release_is_promoted_without_a_build(ann: Person, world: World) -> None:
    await ann.post("/projects/shop/environments", {"name": "staging"})
    await ann.post(DEPLOY, {"image": "app:7", "environment": "staging"})
    staged = await world.run_next()
    body = {"from_environment": "staging"}
    queued = await ann.post("/projects/shop/services/web/releases/1/promote", body)
    assert queued["environment"] == "production"
    promoted = await world.run_next()
    assert (promoted.status, promoted.image) == ("success", staged.image)
    for number, status in (("7", 404), ("0x1", 404), ("99999999999", 404)):
        answer = await ann.call("POST", f"/projects/shop/services/web/releases/{number}/promote", json=body)
        assert answer.status_code == status
    same = {"from_environment": "staging", "to_environment": "staging"}
    assert (await ann.call("POST", "/projects/shop/services/web/releases/1/promote", json=same)).status_code == 409


async def test_the_list_shows_what_the_caller_may_see_in_pages(door: Door, ann: Person, world: World) -> None:
    other = await make_world(door.platform, name="other")
    await _add_rows(world, 25)
    await _add_rows(other, 5)
    administrator = await door.add_person(is_administrator=True)
    stranger = await door.add_person()

    assert len(await _all(ann)) == 25
    assert len(await _all(administrator)) == 30
    assert await _all(stranger) == []
    assert len(await _all(administrator, project="other")) == 5
    assert len(await _all(ann, service=world.service.id, environment="production", status="success")) == 25
    assert await _all(ann, environment="staging") == []
    found = await _all(ann, project="shop", service="web")
    assert [item["number"] for item in found] == list(range(25, 0, -1))
    for query in ({"project": "other"}, {"service": other.service.id}):
        assert (await ann.call("GET", "/deployments", params=query)).status_code == 404
    one = await ann.get(f"/deployments/{found[0]['id']}")
    assert one == found[0]
    DeploymentList.model_validate(await ann.get("/deployments"))


async def test_a_key_of_one_project_sees_only_that(door: Door, world: World) -> None:
    other = await make_world(door.platform, name="other")
    await _add_rows(world, 2)
    await _add_rows(other, 2)
    administrator = await door.add_person(is_administrator=True)
    async with door.platform.database.transaction() as work:
        token = (await add_key(work, administrator.user_id, name="one", project_id=other.project.id)).value
    person = Person(door.http, administrator.user_id, token)
    assert {item["project"] for item in await _all(person)} == {"other"}


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJhIiwiYiJd", "WyIyMDI2LTAxLTAxIiwieCJd", "%00", "A" * 513])
async def test_a_cursor_that_is_not_ours_is_refused(ann: Person, cursor: str) -> None:
    for path in ("/deployments", "/projects/shop/services/web/releases", "/projects/shop/services/web/health"):
        assert (await ann.call("GET", path, params={"cursor": cursor})).status_code == 422


async def test_the_source_of_a_deployment_can_be_had_back(ann: Person, world: World, door: Door) -> None:
    tree = door.platform.settings.data_dir / "tree"
    tree.mkdir()
    (tree / "hello").write_text("world")
    digest, size = await door.platform.storage.store_tree(tree)
    deployment = await world.request()
    assert (await ann.call("GET", f"/deployments/{deployment.id}/bundle")).status_code == 404
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(rows.Deployment).values(bundle_digest=digest))
    answer = await ann.call("GET", f"/deployments/{deployment.id}/bundle")
    assert (answer.status_code, len(answer.content)) == (200, size)
    assert answer.headers["content-type"] == "application/zstd"


async def _all(person: Person, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await person.get("/deployments", limit=7, **query, **cursor)
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


async def _add_rows(world: World, count: int) -> None:
    await world.request()
    workload = await world.get_workload()
    async with world.platform.database.transaction() as work:
        await work.session.execute(update(rows.Deployment).values(status="success"))
        values = [
            {
                "id": new_id("dep"),
                "created_at": utc_now(),
                "number": number,
                "project_id": world.project.id,
                "service_id": world.service.id,
                "environment_id": world.environment.id,
                "workload_id": workload.id,
                "trigger": "api",
                "source_type": "custom",
                "status": "success",
            }
            for number in range(2, count + 1)
        ]
        await work.session.execute(insert(rows.Deployment), values)


async def test_a_service_of_another_project_is_not_told_from_none(door: Door, world: World) -> None:
    bob = await door.add_person()
    known, unknown = [
        (await bob.call("GET", "/deployments", params={"service": name})).json() for name in (world.service.id, "svc_0")
    ]

    assert known["status"] == unknown["status"] == 404
    assert world.project.id not in known["detail"]
    assert known["detail"].replace(world.service.id, "svc_0") == unknown["detail"]
