"""Who may visit a protected environment, asked as Traefik asks."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from sqlalchemy import select, update
from tests.stand_ins import World, make_world
from tests.web.browser import Browser
from tests.web.door import Door, Person

from towline.actions.passwords import Passwords
from towline.models.accounts import User
from towline.models.history import AuditEntry
from towline.models.projects import Environment, ProjectCollaborator
from towline.models.services import Route
from towline.models.sessions import Session

PASSWORD = "correct horse battery staple"


@dataclass
class House:
    """A protected environment with one host, its owner, and the way to its gate."""

    world: World
    door: Door
    owner: Person
    host: str

    @property
    def place(self) -> str:
        """The environment in the API."""
        return f"/projects/{self.world.project.id}/environments/production"

    async def protect(self, protection: str) -> None:
        """Set the protection by the API."""
        await self.owner.patch(self.place, {"protection": protection})

    async def ask(
        self, path: str = "/", *, cookie: str = "", method: str = "GET", host: str = "", accept: str = "text/html"
    ) -> httpx2.Response:
        """What the gate answers Traefik about a request."""
        headers = {"X-Forwarded-Uri": path, "X-Forwarded-Method": method, "X-Forwarded-Host": host or self.host}
        headers |= {"X-Forwarded-Proto": "http", "Accept": accept} | ({"Cookie": cookie} if cookie else {})
        transport = httpx2.ASGITransport(app=self.door.app, client=("127.0.0.1", 4711))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as traefik:
            return await traefik.get(f"/_towline/gates/{self.world.environment.id}", headers=headers)

    async def let_in(self, browser: Browser, path: str = "/") -> str:
        """The way of a member's browser from the gate to Towline and back; the cookie it has then."""
        away = (await self.ask(path)).headers["location"]
        assert away.startswith("http://towline.localhost/gates/")
        back = (await browser.get(away.removeprefix("http://towline.localhost"))).headers["location"]
        assert back.startswith(f"http://{self.host}/_towline/pass?ticket=")
        taken = await self.ask(back.removeprefix(f"http://{self.host}"))
        assert (taken.status_code, taken.headers["location"]) == (303, f"http://{self.host}{path}")
        return taken.headers["set-cookie"].partition(";")[0]


@pytest.fixture
async def house(door: Door) -> House:
    """The environment, open to everybody until a test closes it."""
    world = await make_world(door.platform)
    await world.request()
    async with door.platform.database.transaction() as work:
        host = (await work.session.scalars(select(Route.host))).one()
    return House(world, door, await door.add_key(world.user.id), host)


async def _member(house: House, role: str | None) -> AsyncIterator[Browser]:
    person = await house.door.add_person()
    password_hash = await Passwords().hash(PASSWORD)
    async with house.door.platform.database.transaction() as work:
        await work.session.execute(update(User).where(User.id == person.user_id).values(password_hash=password_hash))
        if role:
            work.session.add(ProjectCollaborator(project_id=house.world.project.id, user_id=person.user_id, role=role))
    browser = Browser(house.door.app)
    answer = await browser.sign_in(f"{person.user_id}@example.com", PASSWORD)
    assert answer.status_code == 201, answer.text
    yield browser


@pytest.fixture
async def viewer(house: House) -> AsyncIterator[Browser]:
    """A member's browser, signed in to Towline."""
    async for browser in _member(house, "viewer"):
        yield browser


@pytest.fixture
async def stranger(house: House) -> AsyncIterator[Browser]:
    """The browser of somebody of another project."""
    async for browser in _member(house, None):
        yield browser


async def test_an_open_environment_lets_everybody_pass(house: House) -> None:
    assert (await house.ask()).status_code == 200


async def test_a_member_comes_in_by_signing_in_and_the_app_never_sees_the_pass(house: House, viewer: Browser) -> None:
    await house.protect("sign_in")
    cookie = await house.let_in(viewer, "/page?x=1")
    admitted = await house.ask(cookie=f"own=1; {cookie}; other=2")
    assert (admitted.status_code, admitted.headers["cookie"]) == (200, "own=1; other=2")
    alone = await house.ask(cookie=cookie, method="POST")
    assert (alone.status_code, "cookie" in alone.headers) == (200, False)


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_programs_are_refused(house: House) -> None:
    await house.protect("sign_in")
    sent = await house.ask("/page")
    assert (sent.status_code, sent.headers["cache-control"]) == (303, "no-store")
    page = await Browser(house.door.app).get(sent.headers["location"].removeprefix("http://towline.localhost"))
    assert page.status_code == 303
    assert page.headers["location"].startswith("/sign-in?next=%2Fgates%2F")
    for method, accept in (("POST", "text/html"), ("GET", "application/json")):
        refused = await house.ask(method=method, accept=accept)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


async def test_a_stranger_gets_no_pass(house: House, stranger: Browser) -> None:
    await house.protect("sign_in")
    for path in (f"/gates/{house.world.environment.id}?host={house.host}&to=/", "/gates/env_none?host=x"):
        assert (await stranger.get(path)).status_code == 404


async def test_a_member_gets_no_pass_for_a_host_of_somebody_else(house: House, viewer: Browser) -> None:
    await house.protect("sign_in")
    for host in ("evil.example.com", "", f"{house.host}.evil.example.com", f"{house.host}@evil.example.com"):
        answer = await viewer.get(f"/gates/{house.world.environment.id}?host={host}&to=/")
        assert answer.status_code == 404, host


@pytest.mark.parametrize("to", ["//evil.example.com", "/\\evil.example.com", "https://evil.example.com", "", "/\r\nx"])
async def test_the_way_back_never_leads_elsewhere(house: House, viewer: Browser, to: str) -> None:
    await house.protect("sign_in")
    answer = await viewer.http.get(f"/gates/{house.world.environment.id}", params={"host": house.host, "to": to})
    back = answer.headers["location"]
    taken = await house.ask(back.removeprefix(f"http://{house.host}"))
    assert taken.headers["location"] == f"http://{house.host}/"


async def test_a_ticket_is_taken_once(house: House, viewer: Browser) -> None:
    await house.protect("sign_in")
    answer = await viewer.get(f"/gates/{house.world.environment.id}?host={house.host}&to=/")
    path = answer.headers["location"].removeprefix(f"http://{house.host}")
    assert parse_qs(urlsplit(path).query)["ticket"]
    assert (await house.ask(path)).status_code == 303
    again = await house.ask(path)
    assert (again.status_code, "set-cookie" in again.headers) == (404, False)


async def test_a_pass_is_of_one_host_and_one_environment(house: House, viewer: Browser) -> None:
    await house.protect("sign_in")
    cookie = await house.let_in(viewer)
    assert (await house.ask(cookie=cookie, host="other.example.com")).status_code == 303
    assert (await house.ask(cookie=cookie[:-4] + "AAAA")).status_code == 303
    assert (await house.ask(cookie=f"{cookie}{'A' * 5000}")).status_code == 303


async def test_a_pass_ends_with_its_session_and_with_the_membership(house: House, viewer: Browser) -> None:
    await house.protect("sign_in")
    cookie = await house.let_in(viewer)
    database = house.door.platform.database
    async with database.transaction() as work:
        [member] = await work.session.scalars(
            select(ProjectCollaborator.user_id).where(ProjectCollaborator.role == "viewer")
        )
        await work.session.execute(update(ProjectCollaborator).values(project_id=house.world.project.id))
    async with database.transaction() as work:
        gone = select(ProjectCollaborator).where(ProjectCollaborator.user_id == member)
        await work.session.delete((await work.session.scalars(gone)).one())
    assert (await house.ask(cookie=cookie)).status_code == 303
    async with database.transaction() as work:
        work.session.add(ProjectCollaborator(project_id=house.world.project.id, user_id=member, role="viewer"))
    assert (await house.ask(cookie=cookie)).status_code == 200
    await viewer.call("DELETE", "/session")
    async with database.transaction() as work:
        assert (await work.session.scalars(select(Session.revoked_at).where(Session.user_id == member))).one()
    assert (await house.ask(cookie=cookie)).status_code == 303


async def test_a_share_link_lets_in_until_there_is_another(house: House) -> None:
    await house.protect("link")
    page = await house.ask()
    assert (page.status_code, "link" in page.text) == (401, True)
    [url] = (await house.owner.post(f"{house.place}/share-link"))["urls"]
    assert url.startswith(f"http://{house.host}/_towline/share/")
    taken = await house.ask(url.removeprefix(f"http://{house.host}"))
    assert (taken.status_code, taken.headers["location"]) == (303, f"http://{house.host}/")
    cookie = taken.headers["set-cookie"].partition(";")[0]
    assert (await house.ask(cookie=cookie, method="POST")).status_code == 200
    await house.owner.post(f"{house.place}/share-link")
    assert (await house.ask(cookie=cookie)).status_code == 401
    assert (await house.ask(url.removeprefix(f"http://{house.host}"))).status_code == 401


async def test_a_share_link_can_be_taken_back_and_guesses_open_nothing(house: House, viewer: Browser) -> None:
    await house.protect("link")
    [url] = (await house.owner.post(f"{house.place}/share-link"))["urls"]
    path = url.removeprefix(f"http://{house.host}")
    cookie = (await house.ask(path)).headers["set-cookie"].partition(";")[0]
    await house.owner.delete(f"{house.place}/share-link")
    assert (await house.ask(cookie=cookie)).status_code == 401
    for guess in (path, "/_towline/share/", "/_towline/share/%00", f"/_towline/share/{'x' * 5000}"):
        assert (await house.ask(guess)).status_code == 401
    answer = await viewer.get(f"/gates/{house.world.environment.id}?host={house.host}&to=/")
    back = answer.headers["location"].removeprefix(f"http://{house.host}")
    assert (await house.ask(back)).status_code == 303  # members need no link


async def test_the_secret_of_a_link_is_kept_sealed_and_out_of_the_audit_log(house: House) -> None:
    await house.protect("link")
    [url] = (await house.owner.post(f"{house.place}/share-link"))["urls"]
    secret = url.rpartition("/")[2]
    async with house.door.platform.database.transaction() as work:
        kept = (await work.session.scalars(select(Environment.share_secret))).one()
        entries = [str(entry.detail) for entry in await work.session.scalars(select(AuditEntry))]
    assert kept is not None
    assert secret.encode() not in kept
    assert not any(secret in entry for entry in entries)
    assert secret not in str(await house.owner.get(f"/projects/{house.world.project.id}/environments"))


async def test_a_link_needs_its_protection(house: House) -> None:
    refused = await house.owner.call("POST", f"{house.place}/share-link")
    assert refused.status_code == 409
