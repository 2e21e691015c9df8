"""Identity providers as administrators set them up, and what everybody sees of them."""

from typing import Any, Final

from sqlalchemy import select
from tests.web.door import Door, Person

from towline.actions.sessions import open_session
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.identities import Identity, IdentityProvider
from towline.names import new_id

BODY: Final[dict[str, Any]] = {
    "name": "company",
    "kind": "oidc",
    "issuer": "https://sso.example.com/realms/company",
    "client_id": "towline",
    "client_secret": "hunter2-hunter2",
}


async def test_a_secret_goes_in_sealed_and_never_comes_out(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    made = await root.post("/identity-providers", {**BODY, "email_domains": ["Example.com"]})
    assert made["redirect_uri"].endswith("/sign-in/with/company/callback")
    assert (made["title"], made["is_trusted"], made["allows_sign_up"]) == ("OpenID Connect", False, False)
    assert made["email_domains"] == ["example.com"]
    changed = await root.patch("/identity-providers/company", {"client_secret": "hunter3", "is_trusted": True})
    listed = await root.get("/identity-providers")
    audit = await root.get("/audit")
    assert changed["is_trusted"]
    assert "hunter" not in str((made, changed, listed, audit))
    async with door.platform.database.transaction() as work:
        row = (await work.session.scalars(select(IdentityProvider))).one()
    assert b"hunter" not in row.client_secret
    assert door.platform.secrets.open_text(row.client_secret, context=f"identity-provider:{row.id}") == "hunter3"


async def test_everybody_sees_names_of_enabled_providers_only(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    await root.post("/identity-providers", {**BODY, "title": "Company"})
    await root.post("/identity-providers", {**BODY, "name": "off", "is_enabled": False})
    assert (await door.nobody().get("/sign-in/providers"))["items"] == [
        {"name": "company", "title": "Company", "kind": "oidc", "path": "/sign-in/with/company"}
    ]
    answer = await door.http.get("http://towline.localhost/sign-in/with/off")
    assert answer.status_code == 404
    assert "There is no identity provider" in answer.text


async def test_what_cannot_work_is_refused_with_the_field(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"issuer": ""}, "issuer"),
        ({"issuer": "http://sso.example.com"}, "issuer"),
        ({"issuer": "https://"}, "issuer"),
        ({"issuer": "https://user@sso.example.com"}, "issuer"),
        ({"issuer": "https://sso.example.com?a=b"}, "issuer"),
        ({"issuer": "https://[::1"}, "issuer"),
        ({"kind": "saml"}, "kind"),
        ({"name": "Not a slug"}, "name"),
        ({"client_secret": ""}, "client_secret"),
        ({"email_domains": ["no domain"]}, "email_domains"),
    ]
    for change, field in wrong:
        answer = await root.call("POST", "/identity-providers", json={**BODY, **change})
        assert answer.status_code == 422, (change, answer.text)
        assert str(answer.json()["field"]).startswith(field), answer.text
    for issuer in ("http://localhost:8080", "http://127.0.0.1:8080", "http://sso.localhost"):
        name = f"local-{issuer.count('l')}-{len(issuer)}"
        assert (await root.post("/identity-providers", {**BODY, "name": name, "issuer": issuer}))["issuer"] == issuer
    assert (await root.post("/identity-providers", {**BODY, "name": "hub", "kind": "github", "issuer": ""}))[
        "issuer"
    ] == "https://github.com"
    again = await root.call("POST", "/identity-providers", json={**BODY, "name": "hub"})
    assert again.status_code == 409


async def test_a_provider_keeps_its_issuer_once_users_are_known_by_it(door: Door) -> None:
    root = await door.add_person(is_administrator=True)
    made = await root.post("/identity-providers", BODY)
    moved = await root.patch("/identity-providers/company", {"issuer": "https://sso.example.org"})
    assert moved["issuer"] == "https://sso.example.org"
    row = {"id": new_id("idn"), "provider_id": made["id"], "user_id": root.user_id}
    async with door.platform.database.transaction() as work:
        work.session.add(Identity(**row, subject="1", email="root@example.com", created_at=utc_now()))
    elsewhere = {"issuer": "https://sso.example.net", "title": "Other"}
    assert (await root.call("PATCH", "/identity-providers/company", json=elsewhere)).status_code == 409
    kept = await root.patch("/identity-providers/company", {"issuer": "https://sso.example.org/"})
    assert kept["title"] == "OpenID Connect"


async def test_sessions_by_a_provider_end_when_it_is_turned_off_or_unlinked(door: Door) -> None:
    root, ann = await door.add_person(is_administrator=True), await door.add_person()
    made = await root.post("/identity-providers", BODY)
    identity = Identity(
        id=new_id("idn"), provider_id=made["id"], user_id=ann.user_id, subject="1", email="a@example.com"
    )
    methods = ("password", "provider:company", "provider:company+totp", "provider:company2")
    async with door.platform.database.transaction() as work:
        identity.created_at = utc_now()
        work.session.add(identity)
        user = await work.session.get_one(User, ann.user_id)
        user.password_hash = "set"

    async def opened() -> list[Person]:
        async with door.platform.database.transaction() as work:
            made = [
                await open_session(door.platform, work, user_id=ann.user_id, method=method, device="", address="")
                for method in methods
            ]
        return [Person(door.http, ann.user_id, one.value) for one in made]

    async def found(people: list[Person]) -> list[int]:
        return [(await person.call("GET", "/account")).status_code for person in people]

    people = await opened()
    await people[1].delete(f"/account/identities/{identity.id}")
    assert await found(people) == [200, 200, 401, 200]
    people = await opened()
    await root.patch("/identity-providers/company", {"title": "Company"})
    assert await found(people) == [200, 200, 200, 200]
    await root.patch("/identity-providers/company", {"is_enabled": False})
    assert await found(people) == [200, 401, 401, 200]


async def test_nobody_makes_towline_ask_a_provider_without_end(door: Door) -> None:
    url = f"http://{door.platform.settings.effective_platform_host}/sign-in/with/company"
    found = {(await door.http.get(url)).status_code for _ in range(60)}
    assert (found, (await door.http.get(url)).status_code) == ({404}, 429)


async def test_a_browser_begins_at_the_host_that_it_will_come_back_to(door: Door) -> None:
    answer = await door.http.get("/sign-in/with/company?next=/device")
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("towline.localhost/sign-in/with/company?next=/device")
