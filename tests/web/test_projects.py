"""Projects through the HTTP door."""

from sqlalchemy import select
from tests.stand_ins import make_world
from tests.web.door import Door

from towline.contract.projects import Project, ProjectList, ProjectSummaryList
from towline.models.history import Event


async def test_a_project_is_made_with_its_production_environment_and_owner(door: Door) -> None:
    ann = await door.add_person()
    made = await ann.post("/projects", {"name": "shop", "description": "The web shop"})
    project = Project.model_validate(made)
    assert (project.name, project.role, project.owner_id) == ("shop", "owner", ann.user_id)
    assert project.base_domain == door.platform.settings.base_domain
    environments = (await ann.get("/projects/shop/environments"))["items"]
    assert [(item["name"], item["kind"]) for item in environments] == [("production", "production")]


async def test_the_fast_list_is_what_the_contract_says(door: Door) -> None:
    ann = await door.add_person()
    for name in ("b", "a", "c"):
        await ann.post("/projects", {"name": name})
    await ann.post("/projects/b/services", {"name": "api"})
    answer = await ann.call("GET", "/projects")
    listed = ProjectList.model_validate_json(answer.content)
    assert [(item.name, item.service_count, item.role) for item in listed.items] == [
        ("a", 0, "owner"),
        ("b", 1, "owner"),
        ("c", 0, "owner"),
    ]
    assert listed.items[1] == Project.model_validate(await ann.get("/projects/b"))
    assert listed.next_cursor is None


async def test_pages_follow_each_other_without_gaps_or_repetition(door: Door) -> None:
    ann = await door.add_person()
    names = [f"p{number}" for number in range(7)]
    for name in names:
        await ann.post("/projects", {"name": name})
    seen: list[str] = []
    query: dict[str, str] = {"limit": "3"}
    while True:
        page = await ann.get("/projects", **query)
        seen += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == names


async def test_everyone_lists_only_what_they_may_see(door: Door) -> None:
    ann, bob = await door.add_person(), await door.add_person()
    root = await door.add_person(is_administrator=True)
    shop = await ann.post("/projects", {"name": "shop"})
    await bob.post("/projects", {"name": "blog"})
    viewer = await door.add_member(shop["id"], "viewer")
    of_one = await door.add_key(root.user_id, project_id=shop["id"])
    people = {"ann": ann, "bob": bob, "viewer": viewer, "root": root, "of_one": of_one}
    seen = {
        name: [(item["name"], item["role"]) for item in (await person.get("/projects"))["items"]]
        for name, person in people.items()
    }
    assert seen == {
        "ann": [("shop", "owner")],
        "bob": [("blog", "owner")],
        "viewer": [("shop", "viewer")],
        "root": [("blog", "owner"), ("shop", "owner")],
        "of_one": [("shop", "owner")],
    }


async def test_a_taken_name_is_a_conflict_and_a_deleted_one_is_free_again(door: Door) -> None:
    ann = await door.add_person()
    first = await ann.post("/projects", {"name": "shop"})
    assert (await ann.call("POST", "/projects", json={"name": "shop"})).status_code == 409
    await ann.delete("/projects/shop")
    assert (await ann.call("GET", f"/projects/{first['id']}")).status_code == 404
    second = await ann.post("/projects", {"name": "shop"})
    assert second["id"] != first["id"]


async def test_fields_left_out_stay_and_null_brings_back_the_default(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop", "description": "one", "base_domain": "example.org"})
    changed = await ann.patch("/projects/shop", {"description": "two"})
    assert (changed["description"], changed["base_domain"]) == ("two", "example.org")
    changed = await ann.patch("/projects/shop", {"base_domain": None, "name": "store"})
    assert (changed["name"], changed["base_domain"]) == ("store", door.platform.settings.base_domain)
    assert (await ann.call("GET", "/projects/shop")).status_code == 404


async def test_changes_are_told_as_events(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    await ann.patch("/projects/shop", {"description": "x"})
    await ann.delete("/projects/shop")
    async with door.platform.database.transaction() as work:
        types = list(await work.session.scalars(select(Event.type).order_by(Event.id)))
    assert types == ["project.created", "project.updated", "project.deleted"]


async def test_projects_at_a_glance_show_health_addresses_and_the_last_deployment(door: Door) -> None:
    world = await make_world(door.platform)
    ann, stranger = await door.add_key(world.user.id), await door.add_person()
    await ann.post("/projects", {"name": "empty"})
    await world.deploy_successfully()
    deployment = await world.deploy_successfully("app:2")
    answer = await ann.call("GET", "/project-summaries")
    empty, shop = ProjectSummaryList.model_validate_json(answer.content).items
    assert (empty.project.name, empty.health, empty.urls, empty.last_deployment) == ("empty", "unknown", [], None)
    assert (shop.project.service_count, shop.health, shop.urls) == (1, "healthy", ["http://web-shop.localhost"])
    assert shop.last_deployment is not None
    assert (shop.last_deployment.id, shop.last_deployment.number) == (deployment.id, 2)
    assert (await ann.get("/project-summaries", limit=1))["next_cursor"]
    assert (await stranger.get("/project-summaries"))["items"] == []
