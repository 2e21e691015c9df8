"""API keys through the HTTP door, and the first ones."""

from datetime import timedelta
from pathlib import Path

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
