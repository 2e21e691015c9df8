"""Members through the API: nobody gives or takes more than they hold, and a project always has an owner."""

from sqlalchemy import select
from tests.web.door import Door, Person

from towline.models.accounts import ApiKey
from towline.models.projects import Project


async def test_a_project_lives_through_joining_changing_leaving_and_handing_over(door: Door) -> None:
    owner = await door.add_person()
    shop = (await owner.post("/projects", {"name": "shop"}))["id"]
    admin, viewer = await door.add_member(shop, "admin"), await door.add_member(shop, "viewer")

    roles = {one["user_id"]: one["role"] for one in (await viewer.get(f"/projects/{shop}/members"))["items"]}
    assert roles == {owner.user_id: "owner", admin.user_id: "admin", viewer.user_id: "viewer"}
    assert await _role(admin, shop, viewer, "developer") == 200
    assert await _role(admin, shop, viewer, "owner") == 403
    assert await _role(admin, shop, owner, "viewer") == 403
    assert await _role(admin, shop, admin, "owner") == 403
    assert (await admin.call("DELETE", f"/projects/{shop}/members/{owner.user_id}")).status_code == 403
    assert (await owner.call("DELETE", f"/projects/{shop}/membership")).status_code == 409
    assert await _role(owner, shop, owner, "admin") == 409

    handed = await owner.post(f"/projects/{shop}/transfer", {"user": admin.user_id})
    assert (handed["role"], handed["is_owner"]) == ("owner", True)
    assert (await owner.get(f"/projects/{shop}"))["owner_id"] == admin.user_id
    assert (await owner.get(f"/projects/{shop}"))["role"] == "admin"
    await owner.delete(f"/projects/{shop}/membership")
    assert (await owner.call("GET", f"/projects/{shop}")).status_code == 404
    await viewer.delete(f"/projects/{shop}/membership")


async def test_with_a_second_owner_the_first_may_go_and_the_project_follows(door: Door) -> None:
    owner = await door.add_person()
    shop = (await owner.post("/projects", {"name": "shop"}))["id"]
    other = await door.add_member(shop, "admin")
    assert await _role(owner, shop, other, "owner") == 200
    await owner.delete(f"/projects/{shop}/membership")
    async with door.platform.database.transaction() as work:
        assert await work.session.scalar(select(Project.owner_id)) == other.user_id


async def test_a_removed_members_keys_of_the_project_stop_for_good(door: Door) -> None:
    owner = await door.add_person()
    shop = (await owner.post("/projects", {"name": "shop"}))["id"]
    member = await door.add_member(shop, "admin")
    key = await door.add_key(member.user_id, project_id=shop)
    assert (await key.call("GET", f"/projects/{shop}")).status_code == 200
    await owner.delete(f"/projects/{shop}/members/{member.user_id}")
    assert (await key.call("GET", f"/projects/{shop}")).status_code == 401
    assert (await member.call("GET", f"/projects/{shop}")).status_code == 404
    assert (await member.call("GET", "/account")).status_code == 200
    async with door.platform.database.transaction() as work:
        rows = await work.session.scalars(select(ApiKey).where(ApiKey.project_id == shop))
        assert all(row.revoked_at is not None for row in rows)


async def test_a_limited_key_gives_and_takes_no_more_than_it_holds(door: Door) -> None:
    owner = await door.add_person()
    shop = (await owner.post("/projects", {"name": "shop"}))["id"]
    viewer, admin = await door.add_member(shop, "viewer"), await door.add_member(shop, "admin")
    manages = await door.add_key(owner.user_id, scopes=["manage_collaborators", "view_projects", "view_logs"])
    looks = await door.add_key(owner.user_id, scopes=["view_projects"])
    assert await _role(manages, shop, viewer, "developer") == 403
    assert await _role(manages, shop, viewer, "viewer") == 200
    assert (await manages.call("DELETE", f"/projects/{shop}/members/{admin.user_id}")).status_code == 403
    assert (await looks.call("DELETE", f"/projects/{shop}/membership")).status_code == 403
    renames = await door.add_key(owner.user_id, scopes=["manage_project", "view_projects"])
    handed = await renames.call("POST", f"/projects/{shop}/transfer", json={"user": admin.user_id})
    assert handed.status_code == 403


async def test_only_people_one_knows_become_members_at_once(door: Door) -> None:
    owner, stranger = await door.add_person(), await door.add_person()
    shop = (await owner.post("/projects", {"name": "shop"}))["id"]
    club = (await owner.post("/projects", {"name": "club"}))["id"]
    friend = await door.add_member(club, "viewer")
    root = await door.add_person(is_administrator=True)

    added = await owner.post(f"/projects/{shop}/members", {"user": friend.user_id, "role": "developer"})
    assert added["role"] == "developer"
    answers = [
        await owner.call("POST", f"/projects/{shop}/members", json={"user": reference, "role": "viewer"})
        for reference in (f"{stranger.user_id}@example.com", "nobody@example.com")
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    by_root = {"user": f"{stranger.user_id}@example.com", "role": "viewer"}
    assert (await root.post(f"/projects/{shop}/members", by_root))["user_id"] == stranger.user_id


async def _role(who: Person, project: str, whom: Person, role: str) -> int:
    answer = await who.call("PATCH", f"/projects/{project}/members/{whom.user_id}", json={"role": role})
    return answer.status_code
