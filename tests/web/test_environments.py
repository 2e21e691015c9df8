"""Environments and registries through the HTTP door."""

from sqlalchemy import select
from tests.web.door import Door

from towline.actions.registries import find_credential
from towline.models.deployments import Registry
from towline.models.services import Workload


async def test_production_comes_first_and_stays(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    for name, kind in (("staging", "staging"), ("a-preview", "preview")):
        await ann.post("/projects/shop/environments", {"name": name, "kind": kind})
    assert (await ann.call("POST", "/projects/shop/environments", json={"name": "staging"})).status_code == 409
    assert (await ann.call("POST", "/projects/shop/environments", json={"name": "production"})).status_code == 409
    first = await ann.get("/projects/shop/environments", limit=2)
    second = await ann.get("/projects/shop/environments", limit=2, cursor=first["next_cursor"])
    names = [item["name"] for item in first["items"] + second["items"]]
    assert names == ["production", "a-preview", "staging"]
    assert (await ann.call("DELETE", "/projects/shop/environments/production")).status_code == 409


async def test_deleting_an_environment_stops_what_runs_there_only(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    await ann.post("/projects/shop/services", {"name": "api"})
    await ann.post("/projects/shop/environments", {"name": "staging"})
    for environment in ("production", "staging"):
        await ann.post("/projects/shop/services/api/deploy", {"image": "app:1", "environment": environment})
    await ann.delete("/projects/shop/environments/staging")
    async with door.platform.database.transaction() as work:
        wanted = sorted(await work.session.scalars(select(Workload.wanted)))
    assert wanted == ["running", "stopped"]
    await ann.post("/projects/shop/environments", {"name": "staging"})


async def test_the_base_of_previews_stays_until_they_are_gone(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    source = {"type": "custom", "config": {"image": "app:1"}}
    for name in ("api", "web"):
        await ann.post("/projects/shop/services", {"name": name, "source": source})
    await ann.post("/projects/shop/environments", {"name": "staging"})
    for name in ("one", "two"):
        await ann.post("/projects/shop/previews", {"name": name, "base": "staging", "shared": ["api"]})
    refused = await ann.call("DELETE", "/projects/shop/environments/staging")
    assert refused.status_code == 409
    assert "one, two" in refused.json()["detail"]
    for name in ("one", "two"):
        await ann.delete(f"/projects/shop/previews/{name}")
    await ann.delete("/projects/shop/environments/staging")
    gone = await ann.call("POST", "/projects/shop/previews", json={"name": "three", "base": "staging"})
    assert gone.status_code == 404


async def test_registry_credentials_are_used_and_never_shown(door: Door) -> None:
    ann, root = await door.add_person(), await door.add_person(is_administrator=True)
    project = await ann.post("/projects", {"name": "shop"})
    common = {"username": "all", "password": "s3cret"}
    await root.post("/registries", {"host": "ghcr.io", **common})
    mine = {"project": "shop", "host": "ghcr.io", "username": "mine", "password": "s3cret"}
    made = await ann.post("/registries", mine)
    assert (await ann.call("POST", "/registries", json=mine)).status_code == 409
    used = await ann.call("GET", "/registries", params={"project": "shop"})
    assert [item["username"] for item in used.json()["items"]] == ["all", "mine"]
    assert "s3cret" not in used.text
    assert [item["username"] for item in (await ann.get("/registries"))["items"]] == ["mine"]
    assert len((await root.get("/registries"))["items"]) == 2
    find = find_credential(door.platform, project_id=project["id"], reference="ghcr.io/acme/shop:1")
    credential = await find
    assert credential is not None
    assert (credential.username, credential.password) == ("mine", "s3cret")
    await ann.delete(f"/registries/{made['id']}")
    async with door.platform.database.transaction() as work:
        left = list(await work.session.scalars(select(Registry.username)))
    assert left == ["all"]


async def test_credentials_of_another_project_are_not_told_from_none(door: Door) -> None:
    ann, bob = await door.add_person(), await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    body = {"project": "shop", "host": "ghcr.io", "username": "ann", "password": "s3cret"}
    made = await ann.post("/registries", body)

    answers = [await bob.call("DELETE", f"/registries/{name}") for name in (made["id"], "reg_0")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json() == answers[1].json()
