"""Second factors through the API: set up with proof, asked for after a password, each proof good once."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyotp.totp import TOTP
from sqlalchemy import select, update
from tests.authenticator import Authenticator
from tests.stand_ins import stand_in_platform
from tests.web.door import Door, Person, open_door

from towline.actions.limits import OF_SECOND_FACTOR, Visit, count_second_factor, make_device_mark
from towline.actions.second_factors.factors import list_factors
from towline.actions.sessions import open_session
from towline.actions.sign_in import SecondFactorNeeded, complete_first_factor
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.history import AuditEntry
from towline.models.second_factors import TotpSecret
from towline.models.sessions import Session, Ticket

ORIGIN = "http://towline.localhost"


@pytest.fixture
async def door(tmp_path: Path, postgres_url: str, redis_url: str) -> AsyncIterator[Door]:
    """The application of an installation whose pages browsers trust."""
    urls = {"postgres_url": postgres_url, "redis_url": redis_url}
    async with stand_in_platform(tmp_path, **urls, base_domain="localhost") as platform, open_door(platform) as door:
        yield door


async def signed_in(door: Door, user_id: str = "") -> Person:
    """A user with a session, new unless named."""
    person = await door.add_person() if not user_id else Person(door.http, user_id)
    async with door.platform.database.transaction() as work:
        opened = await open_session(
            door.platform, work, user_id=person.user_id, method="password", device="test", address=""
        )
    return Person(door.http, person.user_id, opened.value)


async def after_password(door: Door, person: Person) -> str:
    """The ticket of someone who has just typed the right password."""
    async with door.platform.database.transaction() as work:
        user = await work.session.get_one(User, person.user_id)
        outcome = await complete_first_factor(
            door.platform, work, user, method="password", device="test", address="203.0.113.9"
        )
    assert isinstance(outcome, SecondFactorNeeded)
    return outcome.ticket


async def turn_totp_on(person: Person) -> tuple[TOTP, list[str]]:
    setup = await person.post("/account/totp")
    totp = TOTP(setup["secret"])
    turned_on = await person.post("/account/totp/confirm", {"code": totp.at(utc_now())})
    return totp, turned_on["recovery_codes"]


async def add_passkey(person: Person, authenticator: Authenticator, name: str = "Laptop") -> Any:
    begun = await person.post("/account/passkeys/begin")
    credential = authenticator.create(begun["options"])
    return await person.post("/account/passkeys", {"ticket": begun["ticket"], "credential": credential, "name": name})


async def finish(door: Door, ticket: str, **proof: Any) -> Any:
    answer = await door.nobody().call(
        "POST", "/sign-in/second-factor", json={"ticket": ticket, "kind": "token", **proof}
    )
    return answer.status_code, answer.json()


async def refusals(door: Door, action: str) -> list[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.action == action, AuditEntry.outcome == "refused")
    async with door.platform.database.transaction() as work:
        return list((await work.session.scalars(query)).all())


async def test_a_sign_in_waits_for_a_code_which_works_once(door: Door) -> None:
    ann = await signed_in(door)
    other = await signed_in(door, ann.user_id)
    totp, codes = await turn_totp_on(ann)
    assert len(codes) == 10
    assert (await other.call("GET", "/account")).status_code == 401
    factors = await ann.get("/account/second-factors")
    assert (factors["is_needed"], factors["recovery_codes_left"], factors["passkeys"]) == (True, 10, [])

    ticket = await after_password(door, ann)
    status, problem = await finish(door, ticket, code="000000")
    assert (status, problem["code"]) == (401, "unauthenticated")
    code = totp.at(utc_now(), counter_offset=1)
    status, answer = await finish(door, ticket, code=f"{code[:3]} {code[3:]}")
    assert status == 201, answer
    assert answer["session"]["method"] == "password+totp"
    assert (await Person(door.http, token=answer["token"]).get("/account"))["user"]["id"] == ann.user_id
    assert (await finish(door, ticket, code=code))[0] == 404
    assert (await finish(door, await after_password(door, ann), code=code))[0] == 401
    assert [entry.object_id for entry in await refusals(door, "signIn.secondFactor")] == [ann.user_id] * 2


async def test_a_recovery_code_stands_in_once_and_new_ones_replace_all(door: Door) -> None:
    ann = await signed_in(door)
    _, codes = await turn_totp_on(ann)
    assert (await finish(door, await after_password(door, ann), recovery_code=codes[0].upper()))[0] == 201
    assert (await finish(door, await after_password(door, ann), recovery_code=codes[0]))[0] == 401
    assert (await ann.get("/account/second-factors"))["recovery_codes_left"] == 9
    made = await ann.post("/account/recovery-codes")
    assert (await finish(door, await after_password(door, ann), recovery_code=codes[1]))[0] == 401
    assert (await finish(door, await after_password(door, ann), recovery_code=made["recovery_codes"][1]))[0] == 201
    await ann.delete("/account/totp")
    factors = await ann.get("/account/second-factors")
    assert (factors["is_needed"], factors["recovery_codes_left"]) == (False, 0)
    assert (await ann.call("POST", "/account/recovery-codes")).status_code == 409


async def test_tries_are_bounded_and_the_secret_is_sealed(door: Door) -> None:
    ann = await signed_in(door)
    totp, _ = await turn_totp_on(ann)
    ticket = await after_password(door, ann)
    statuses = [(await finish(door, ticket, code="000000"))[0] for _ in range(12)]
    assert statuses[:10] == [401] * 10
    assert not {201, 401} & set(statuses[10:])
    assert (await finish(door, ticket, code=totp.at(utc_now(), counter_offset=1)))[0] == 404
    async with door.platform.database.transaction() as work:
        row = await work.session.get_one(TotpSecret, ann.user_id)
        assert totp.secret.encode() not in row.secret


async def test_strangers_who_know_the_password_cannot_go_on_guessing_all_day(door: Door) -> None:
    ann = await signed_in(door)
    totp, _ = await turn_totp_on(ann)
    for _ in range(OF_SECOND_FACTOR):
        await count_second_factor(door.platform, Visit("198.51.100.7"), user_id=ann.user_id)
    code = totp.at(utc_now(), counter_offset=1)
    assert (await finish(door, await after_password(door, ann), code=code))[0] == 429
    mark = make_device_mark(door.platform, ann.user_id)
    ticket = await after_password(door, ann)
    body = {"ticket": ticket, "code": code}
    known = {"Cookie": f"towline_device={mark}"}
    answer = await door.nobody().call("POST", "/sign-in/second-factor", json=body, headers=known)
    assert answer.status_code == 201, answer.text


async def test_an_administrator_lets_in_who_has_lost_everything(door: Door) -> None:
    ann, root = await signed_in(door), await door.add_person(is_administrator=True)
    await turn_totp_on(ann)
    await add_passkey(ann, Authenticator(ORIGIN))
    await root.delete(f"/users/{ann.user_id}/second-factors")
    assert (await ann.call("GET", "/account")).status_code == 401
    async with door.platform.database.transaction() as work:
        assert await list_factors(work.session, ann.user_id) == frozenset()
        query = select(AuditEntry).where(AuditEntry.action == "secondFactors.delete")
        [entry] = (await work.session.scalars(query)).all()
    assert entry.detail["factors"] == ["passkey", "recovery_code", "totp"]


async def test_changes_need_a_session_with_a_recent_proof(door: Door) -> None:
    ann = await signed_in(door)
    made = await add_passkey(ann, Authenticator(ORIGIN))
    by_key = await door.add_key(ann.user_id)
    stale = await signed_in(door, ann.user_id)
    async with door.platform.database.transaction() as work:
        long_ago = utc_now() - timedelta(minutes=11)
        await work.session.execute(update(Session).values(authenticated_at=long_ago))
    for method, path in (
        ("POST", "/account/totp"),
        ("DELETE", "/account/totp"),
        ("POST", "/account/recovery-codes"),
        ("POST", "/account/passkeys/begin"),
        ("DELETE", f"/account/passkeys/{made['id']}"),
    ):
        for person in (by_key, stale):
            answer = await person.call(method, path)
            assert (answer.status_code, answer.json()["code"]) == (403, "proof-needed"), (path, answer.text)
    assert (await stale.get("/account/second-factors"))["passkeys"][0]["name"] == "Laptop"
    for person, is_asked in ((stale, True), (await signed_in(door, ann.user_id), False)):
        page = await door.http.get("/account/security", headers={"Authorization": f"Bearer {person.token}"})
        assert ("Is it still you?" in page.text) is is_asked


async def test_a_passkey_signs_in_alone(door: Door) -> None:
    ann = await signed_in(door)
    authenticator = Authenticator(ORIGIN)
    made = await add_passkey(ann, authenticator)
    assert len(made["recovery_codes"]) == 10
    nobody = door.nobody()
    begun = await nobody.post("/sign-in/passkey/begin")
    assert begun["options"]["allowCredentials"] == []
    body = {"ticket": begun["ticket"], "credential": authenticator.get(begun["options"]), "kind": "token"}
    answer = await nobody.post("/sign-in/passkey", body)
    assert (answer["user"]["id"], answer["session"]["method"]) == (ann.user_id, "passkey")
    assert (await nobody.call("POST", "/sign-in/passkey", json=body)).status_code == 404
    renamed = await ann.patch(f"/account/passkeys/{made['id']}", {"name": "Key ring"})
    assert (renamed["name"], renamed["last_used_at"] is not None) == ("Key ring", True)


async def test_a_passkey_is_a_second_factor(door: Door) -> None:
    ann, bob = await signed_in(door), await signed_in(door)
    authenticator, bobs = Authenticator(ORIGIN), Authenticator(ORIGIN)
    await add_passkey(ann, authenticator)
    await add_passkey(bob, bobs)
    ticket = await after_password(door, ann)
    begun = await door.nobody().post("/sign-in/passkey/begin", {"ticket": ticket})
    [known] = begun["options"]["allowCredentials"]
    assert known["transports"] == ["internal"]
    assert (await finish(door, ticket, credential=bobs.get(begun["options"])))[0] == 422
    status, answer = await finish(door, ticket, credential=authenticator.get(begun["options"]))
    assert (status, answer["session"]["method"]) == (201, "password+passkey")


async def test_a_passkey_whose_count_goes_back_is_refused_and_noted(door: Door) -> None:
    ann = await signed_in(door)
    authenticator = Authenticator(ORIGIN, sign_count=5)
    made = await add_passkey(ann, authenticator)
    authenticator.sign_count = 2
    begun = await door.nobody().post("/sign-in/passkey/begin")
    body = {"ticket": begun["ticket"], "credential": authenticator.get(begun["options"])}
    assert (await door.nobody().call("POST", "/sign-in/passkey", json=body)).status_code == 403
    [entry] = await refusals(door, "passkeys.use")
    assert (entry.object_id, entry.actor_id, entry.detail["told"]) == (made["id"], ann.user_id, 3)


async def test_the_last_way_in_stays(door: Door) -> None:
    ann = await signed_in(door)
    first = await add_passkey(ann, Authenticator(ORIGIN))
    answer = await ann.call("DELETE", f"/account/passkeys/{first['id']}")
    assert (answer.status_code, "only way" in answer.json()["detail"]) == (409, True)
    second = await add_passkey(ann, Authenticator(ORIGIN), "Phone")
    assert second["recovery_codes"] == []
    await ann.delete(f"/account/passkeys/{first['id']}")
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(User).values(password_hash="set"))
    await ann.delete(f"/account/passkeys/{second['id']}")
    assert (await ann.get("/account/passkeys"))["items"] == []


async def test_a_passkey_is_its_users_and_registered_once(door: Door) -> None:
    ann, bob = await signed_in(door), await signed_in(door)
    authenticator = Authenticator(ORIGIN)
    made = await add_passkey(ann, authenticator)
    begun = await bob.post("/account/passkeys/begin")
    body = {"ticket": begun["ticket"], "credential": authenticator.create(begun["options"])}
    assert (await bob.call("POST", "/account/passkeys", json=body)).status_code == 409
    assert (await ann.call("POST", "/account/passkeys", json=body)).status_code == 404
    for method in ("DELETE", "PATCH"):
        answer = await bob.call(
            method, f"/account/passkeys/{made['id']}", json={"name": "x"} if method == "PATCH" else None
        )
        assert answer.status_code == 404
    elsewhere = Authenticator("https://evil.example.com")
    begun = await bob.post("/account/passkeys/begin")
    body = {"ticket": begun["ticket"], "credential": elsewhere.create(begun["options"])}
    answer = await bob.call("POST", "/account/passkeys", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "credential")


async def test_begun_passkey_sign_ins_are_bounded_by_address(door: Door) -> None:
    statuses = [(await door.nobody().call("POST", "/sign-in/passkey/begin", json={})).status_code for _ in range(22)]
    assert statuses[:20] == [201] * 20
    assert statuses[-1] == 429
    async with door.platform.database.transaction() as work:
        assert len((await work.session.scalars(select(Ticket))).all()) == 20


async def test_the_page_shows_factors_to_their_user_alone(door: Door) -> None:
    ann = await signed_in(door)
    await add_passkey(ann, Authenticator(ORIGIN), "<b>Laptop</b>")
    page = await door.http.get("/account/security", headers={"Authorization": f"Bearer {ann.token}"})
    assert page.status_code == 200
    assert "&lt;b&gt;Laptop" in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    away = await door.http.get("/account/security")
    assert (away.status_code, away.headers["location"]) == (303, "/sign-in?next=/account/security")
    script = await door.http.get("/_towline/assets/account.js")
    assert script.headers["content-type"].startswith("text/javascript")
    again = await door.http.get("/_towline/assets/account.js", headers={"If-None-Match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
