"""Previews through the HTTP door: made, shown, changed, taken away, and kept within the project's rules."""

from typing import Any

from sqlalchemy import select, update
from tests.web.door import Door, Person

from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.previews import Preview
from towline.models.projects import Environment
from towline.models.services import Route, Workload

_IMAGE = {"type": "custom", "config": {"image": "app:1"}}


async def _add_shop(door: Door) -> Person:
    """Ann's shop: `web` needs `api`, which needs `db`; `docs` needs nothing."""
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    for name, kind in (("web", "web"), ("api", "web"), ("db", "worker"), ("docs", "web")):
        await ann.post("/projects/shop/services", {"name": name, "type": kind, "source": _IMAGE})
    for name, needed in (("web", "api"), ("api", "db")):
        path = f"/projects/shop/services/{name}/dependencies/{needed}"
        assert (await ann.call("PUT", path, json={})).status_code == 200
    return ann


async def _deployed(door: Door, environment_id: str) -> list[str]:
    async with door.platform.database.transaction() as work:
        query = select(Deployment.trigger).where(Deployment.environment_id == environment_id)
        return list(await work.session.scalars(query))


def _names(preview: dict[str, Any], *, shared: bool) -> list[str]:
    return [one["service"] for one in preview["services"] if one["is_shared"] == shared]


async def test_a_preview_has_the_whole_project_under_hosts_of_its_own(door: Door) -> None:
    ann = await _add_shop(door)
    made = await ann.post("/projects/shop/previews", {"name": "new-cart", "main": "web", "title": "The new cart"})
    domain = door.platform.settings.base_domain
    hosts = {one["service"]: one["urls"][0].split("/")[2].split(":")[0] for one in made["services"] if one["urls"]}
    assert hosts == {
        "web": f"shop-new-cart.{domain}",
        "api": f"api-shop-new-cart.{domain}",
        "docs": f"docs-shop-new-cart.{domain}",
    }
    assert (made["name"], made["base"], made["status"], made["main"]) == ("new-cart", "production", "queued", "web")
    assert await _deployed(door, made["environment_id"]) == ["preview"] * 4
    assert [one["id"] for one in (await ann.get("/projects/shop/previews"))["items"]] == [made["id"]]
    assert (await ann.get("/projects/shop/previews/new-cart"))["id"] == made["id"]


async def test_a_preview_of_the_graph_leaves_out_what_is_not_needed_and_shares_what_is_said(door: Door) -> None:
    ann = await _add_shop(door)
    body = {"name": "a", "main": "web", "scope": "graph", "shared": ["api"]}
    made = await ann.post("/projects/shop/previews", body)
    assert _names(made, shared=False) == ["web"]
    whole = await ann.post("/projects/shop/previews", {"name": "b", "main": "web", "scope": "graph"})
    assert _names(whole, shared=False) == ["api", "db", "web"]
    alone = await ann.post("/projects/shop/previews", {"name": "c", "main": "web", "scope": "service"})
    assert _names(alone, shared=False) == ["web"]


async def test_what_a_preview_has_not_is_not_deployed_to_it(door: Door) -> None:
    ann = await _add_shop(door)
    await ann.post("/projects/shop/previews", {"name": "a", "main": "web", "scope": "service"})
    answer = await ann.call("POST", "/projects/shop/services/api/deploy", json={"environment": "a"})
    assert answer.status_code == 409
    await ann.post("/projects/shop/deploy", {"environment": "a"})
    async with door.platform.database.transaction() as work:
        names = (await work.session.scalars(select(Workload.id).join(Environment).where(Environment.name == "a"))).all()
    assert len(names) == 1


async def test_a_deleted_preview_gives_its_name_and_host_back(door: Door) -> None:
    ann = await _add_shop(door)
    made = await ann.post("/projects/shop/previews", {"name": "a", "main": "web"})
    await ann.delete("/projects/shop/previews/a")
    assert (await ann.call("GET", f"/projects/shop/previews/{made['id']}")).status_code == 404
    again = await ann.post("/projects/shop/previews", {"name": "a", "main": "web"})
    assert (again["url"], again["id"] != made["id"]) == (made["url"], True)
    async with door.platform.database.transaction() as work:
        hosts = (await work.session.scalars(select(Route.host))).all()
    assert len(hosts) == len(set(hosts)) == 3


async def test_a_taken_name_is_refused(door: Door) -> None:
    ann = await _add_shop(door)
    for name in ("production", "a", "a"):
        answer = await ann.call("POST", "/projects/shop/previews", json={"name": name})
    assert answer.status_code == 409


async def test_the_least_recently_used_goes_when_there_are_too_many_and_protected_ones_stay(door: Door) -> None:
    ann = await _add_shop(door)
    await ann.call("PUT", "/projects/shop/preview-rules", json={"cap": 2, "main": "web", "scope": "service"})
    await ann.post("/projects/shop/previews", {"name": "kept", "is_protected_from_cap": True})
    await ann.post("/projects/shop/previews", {"name": "old"})
    await ann.post("/projects/shop/previews", {"name": "new"})
    names = [one["name"] for one in (await ann.get("/projects/shop/previews"))["items"]]
    assert names == ["new", "kept"]
    await ann.call("PATCH", "/projects/shop/previews/new", json={"is_protected_from_cap": True})
    answer = await ann.call("POST", "/projects/shop/previews", json={"name": "one-more"})
    assert answer.status_code == 409


async def test_extending_lets_the_lifetime_begin_anew(door: Door) -> None:
    ann = await _add_shop(door)
    made = await ann.post("/projects/shop/previews", {"name": "a", "lifetime_seconds": 3600})
    past = utc_now().replace(year=2020)
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(Preview).values(last_active_at=past, expires_at=past))
    extended = await ann.post("/projects/shop/previews/a/extend")
    assert extended["expires_at"] >= made["expires_at"]
    kept = await ann.call("PATCH", "/projects/shop/previews/a", json={"lifetime_seconds": None})
    assert kept.json()["expires_at"] is None


async def test_rules_name_only_what_is_there(door: Door) -> None:
    ann = await _add_shop(door)
    path = "/projects/shop/preview-rules"
    assert (await ann.get(path))["lifetime_seconds"] == 7 * 86_400
    for wrong in ({"main": "none"}, {"shared": ["none"]}, {"base": "none"}):
        assert (await ann.call("PUT", path, json=wrong)).status_code == 422
    rules = (await ann.call("PUT", path, json={"shared": ["db"], "pull_requests": True, "branches": ["try/*"]})).json()
    assert (rules["shared"], rules["branches"]) == (["db"], ["try/*"])
    assert await ann.get(path) == rules
    made = await ann.post("/projects/shop/previews", {"name": "a"})
    assert _names(made, shared=False) == ["api", "docs", "web"]


async def test_a_preview_is_no_base_of_another(door: Door) -> None:
    ann = await _add_shop(door)
    await ann.post("/projects/shop/previews", {"name": "a"})
    assert (await ann.call("POST", "/projects/shop/previews", json={"name": "b", "base": "a"})).status_code == 422


async def test_only_forks_are_approved_and_only_the_newest_commit(door: Door) -> None:
    ann = await _add_shop(door)
    await ann.post("/projects/shop/previews", {"name": "a"})
    path, body = "/projects/shop/previews/a/approve", {"revision": "1" * 40}
    assert (await ann.call("POST", path, json=body)).status_code == 409
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(Preview).values(is_fork=True, head_revision="2" * 40, state="waiting"))
    assert (await ann.call("POST", path, json=body)).status_code == 409
    approved = await ann.post(path, {"revision": "2" * 40})
    assert (approved["state"], approved["approved_by"]) == ("active", f"{ann.user_id}@example.com")


async def test_a_name_of_another_project_is_not_taken_by_a_preview(door: Door) -> None:
    ann, bob = await _add_shop(door), await door.add_person()
    await bob.post("/projects", {"name": "shop-eu"})
    made = await ann.post("/projects/shop/previews", {"name": "eu-pr-1", "main": "web"})
    host = made["url"].split("/")[2].split(".")[0]
    assert host.startswith("shop-eu-pr-1-")


async def test_sleep_and_protection_come_from_the_rules_and_can_be_changed(door: Door) -> None:
    ann = await _add_shop(door)
    rules = {"sleeps_after_seconds": 600, "protection": "sign_in"}
    assert (await ann.call("PUT", "/projects/shop/preview-rules", json=rules)).status_code == 200
    made = await ann.post("/projects/shop/previews", {"name": "a"})
    assert (made["sleeps_after_seconds"], made["protection"], made["is_asleep"]) == (600, "sign_in", False)
    change = {"sleeps_after_seconds": None, "protection": "link"}
    changed = (await ann.call("PATCH", "/projects/shop/previews/a", json=change)).json()
    assert (changed["sleeps_after_seconds"], changed["protection"]) == (None, "link")


async def test_data_and_what_the_rules_close_are_for_those_who_manage_services(door: Door) -> None:
    ann = await _add_shop(door)
    project_id = (await ann.get("/projects/shop"))["id"]
    bob = await door.add_member(project_id, "developer")
    body = {"name": "a", "main": "web"}
    refused = await bob.call("POST", "/projects/shop/previews", json={**body, "copies_data": ["db"]})
    assert refused.status_code == 403
    rules = {"protection": "link"}
    assert (await ann.call("PUT", "/projects/shop/preview-rules", json=rules)).status_code == 200
    await bob.post("/projects/shop/previews", body)
    for person, protection, status in (
        (bob, "sign_in", 200),
        (bob, "none", 403),
        (bob, "link", 200),
        (ann, "none", 200),
        (bob, "none", 200),
    ):
        change = {"title": "New", "protection": protection}
        answer = await person.call("PATCH", "/projects/shop/previews/a", json=change)
        assert answer.status_code == status, protection
