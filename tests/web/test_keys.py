"""API keys through the HTTP door, and the first ones."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.stand_ins import stand_in_platform
from tests.web.door import Door, Person, open_door

from towline.actions.first_keys import create_local_key, ensure_bootstrap_key
from towline.actions.keys import is_token, make_token
from towline.errors import InvalidInput
from towline.infra.secrets import hash_token
from towline.models.accounts import ApiKey
from towline.models.base import utc_now


def test_a_token_has_a_checksum_that_scanners_can_verify() -> None:
    token = make_token()
    assert token.startswith("twl_")
    assert len(token) == 43
    assert is_token(token)
    changed = token[:10] + ("a" if token[10] != "a" else "b") + token[11:]
    assert not is_token(changed)
    assert len({make_token() for _ in range(100)}) == 100


async def test_a_key_is_shown_once_kept_as_a_hash_and_works_until_revoked(door: Door) -> None:
    ann = await door.add_person()
    made = await ann.post("/keys", {"name": "ci", "scopes": ["deploy", "view_projects"]})
    assert made["prefix"] == made["value"][:8]
    ci = Person(door.http, ann.user_id, made["value"])
    account = await ci.get("/account")
    assert (account["key"]["name"], account["permissions"]) == ("ci", ["deploy", "view_projects"])
    listed = (await ann.call("GET", "/keys")).text
    assert made["value"] not in listed
    async with door.platform.database.transaction() as work:
        row = await work.session.get(ApiKey, made["id"])
    assert row is not None
    assert row.token_hash == hash_token(made["value"])
    await ann.delete(f"/keys/{made['id']}")
    assert (await ci.call("GET", "/account")).status_code == 401


async def test_a_key_never_makes_or_revokes_one_that_can_do_more(door: Door) -> None:
    ann = await door.add_person()
    project = await ann.post("/projects", {"name": "shop"})
    everything = (await ann.post("/keys", {"name": "all"}))["id"]
    narrow = await door.add_key(ann.user_id, scopes=["deploy"], expires_at=utc_now() + timedelta(hours=1))
    of_one = await door.add_key(ann.user_id, project_id=project["id"])
    for person, body in (
        (narrow, {"name": "x"}),
        (narrow, {"name": "x", "scopes": ["deploy", "view_logs"]}),
        (of_one, {"name": "x"}),
    ):
        assert (await person.call("POST", "/keys", json=body)).status_code == 403
    made = await narrow.post("/keys", {"name": "x", "scopes": ["deploy"]})
    assert made["expires_at"] is not None
    assert (await narrow.call("DELETE", f"/keys/{everything}")).status_code == 403
    assert (await of_one.call("DELETE", f"/keys/{everything}")).status_code == 404
    assert (await of_one.post("/keys", {"name": "x", "project": "shop"}))["project_id"] == project["id"]


async def test_another_users_keys_do_not_exist(door: Door) -> None:
    ann, bob = await door.add_person(), await door.add_person()
    made = await ann.post("/keys", {"name": "ci"})
    assert (await bob.call("DELETE", f"/keys/{made['id']}")).status_code == 404
    assert made["id"] not in (await bob.call("GET", "/keys")).text


async def test_the_use_of_a_key_is_noted_beside_the_request(door: Door) -> None:
    ann = await door.add_person()
    for _ in range(3):
        await ann.get("/account")
    await door.app.state.use_notes.close()
    async with door.platform.database.transaction() as work:
        row = (await work.session.scalars(select(ApiKey).where(ApiKey.user_id == ann.user_id))).one()
    assert row.last_used_at is not None
    assert row.last_used_address == "203.0.113.9"


async def test_the_bootstrap_key_is_made_at_the_first_start_only(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    first, second = "first-" + "x" * 40, "second-" + "x" * 40
    urls = {"postgres_url": postgres_url, "redis_url": redis_url}
    for value in (first, first, second):
        async with stand_in_platform(tmp_path, **urls, bootstrap_api_key=value) as platform:
            await ensure_bootstrap_key(platform)
    async with stand_in_platform(tmp_path, **urls) as platform, open_door(platform) as door:
        account = await Person(door.http, token=first).get("/account")
        assert account["user"]["is_administrator"]
        assert (await Person(door.http, token=second).call("GET", "/account")).status_code == 401
        old, new = await create_local_key(platform), await create_local_key(platform)
        assert (await Person(door.http, token=old).call("GET", "/account")).status_code == 401
        assert (await Person(door.http, token=new).get("/account"))["user"]["id"] == account["user"]["id"]


@pytest.mark.parametrize("value", ["short", "x" * 31, "with space " * 5, "ümlaut" * 10])
async def test_a_poor_bootstrap_key_is_refused_clearly(
    tmp_path: Path, postgres_url: str, redis_url: str, value: str
) -> None:
    async with stand_in_platform(
        tmp_path, postgres_url=postgres_url, redis_url=redis_url, bootstrap_api_key=value
    ) as platform:
        with pytest.raises(InvalidInput, match="TOWLINE_BOOTSTRAP_API_KEY must be 32 to 512"):
            await ensure_bootstrap_key(platform)


async def test_a_key_ends_with_the_key_that_made_it_and_all_that_made_themselves(door: Door) -> None:
    ann = await door.add_person()
    made = [await ann.post("/keys", {"name": "ci"})]
    for name in ("child", "grandchild"):
        parent = Person(door.http, ann.user_id, made[-1]["value"])
        made.append(await parent.post("/keys", {"name": name}))
    assert [key["parent_id"] for key in made[1:]] == [key["id"] for key in made[:2]]
    await ann.delete(f"/keys/{made[0]['id']}")
    for key in made:
        assert (await Person(door.http, token=key["value"]).call("GET", "/account")).status_code == 401
    entries = (await _administrator_sees(door, action="keys.delete"))["items"]
    assert (entries[0]["object_id"], entries[0]["detail"]["ended_with_it"]) == (made[0]["id"], 2)
    assert not [key["value"] for key in made if key["value"] in str(entries)]


async def test_a_key_works_from_its_networks_only_and_a_try_from_elsewhere_is_told(door: Door) -> None:
    ann = await door.add_person()
    here, elsewhere = "203.0.113.9/32", "198.51.100.0/24"
    good = await ann.post("/keys", {"name": "here", "addresses": ["2001:db8::/32", "203.0.113.9"]})
    assert good["addresses"] == ["2001:db8::/32", here]
    assert (await Person(door.http, token=good["value"]).call("GET", "/account")).status_code == 200
    bad = await ann.post("/keys", {"name": "there", "addresses": [elsewhere]})
    answer = await Person(door.http, token=bad["value"]).call("GET", "/account")
    assert (answer.status_code, answer.json()["code"]) == (403, "address-not-allowed")
    assert "203.0.113.9" in answer.json()["detail"]
    [entry] = (await _administrator_sees(door, outcome="refused", actor=ann.user_id))["items"]
    assert (entry["key_id"], entry["address"], entry["action"]) == (bad["id"], "203.0.113.9", "account.get")
    assert (await ann.call("POST", "/keys", json={"name": "x", "addresses": ["nowhere"]})).status_code == 422


async def test_a_key_hands_its_networks_on_and_no_others(door: Door) -> None:
    ann = await door.add_person()
    parent = await door.add_key(ann.user_id, addresses=["203.0.113.0/24"])
    assert (await parent.post("/keys", {"name": "same"}))["addresses"] == ["203.0.113.0/24"]
    assert (await parent.post("/keys", {"name": "less", "addresses": ["203.0.113.9"]}))["addresses"] == [
        "203.0.113.9/32"
    ]
    for wider in ("203.0.112.0/23", "0.0.0.0/0", "::/0", "198.51.100.1"):
        answer = await parent.call("POST", "/keys", json={"name": "more", "addresses": ["203.0.113.1", wider]})
        assert answer.status_code == 403


async def test_administrators_see_and_revoke_everybodys_keys(door: Door) -> None:
    ann, root = await door.add_person(), await door.add_person(is_administrator=True)
    made = await ann.post("/keys", {"name": "ci"})
    narrow = await door.add_key(root.user_id, scopes=["deploy"])
    for person in (ann, narrow):
        assert (await person.call("GET", "/keys", params={"user": "*"})).status_code == 403
    assert (await ann.get("/keys", user=ann.user_id)) == await ann.get("/keys")
    assert len((await root.get("/keys", user="*"))["items"]) == 4
    of_ann = (await root.get("/keys", user=f"{ann.user_id}@example.com"))["items"]
    assert of_ann[0]["id"] == made["id"]
    assert (await narrow.call("DELETE", f"/keys/{made['id']}")).status_code == 404
    await root.delete(f"/keys/{made['id']}")
    assert (await Person(door.http, token=made["value"]).call("GET", "/account")).status_code == 401


async def test_keys_of_this_machine_outlive_the_key_that_made_them(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    urls = {"postgres_url": postgres_url, "redis_url": redis_url}
    async with stand_in_platform(tmp_path, **urls) as platform, open_door(platform) as door:
        local = Person(door.http, token=await create_local_key(platform))
        made = await local.post("/keys", {"name": "ci"})
        await create_local_key(platform)
        assert (await local.call("GET", "/account")).status_code == 401
        assert (await Person(door.http, token=made["value"]).call("GET", "/account")).status_code == 200


async def _administrator_sees(door: Door, **query: str) -> Any:
    return await (await door.add_person(is_administrator=True)).get("/audit", **query)
