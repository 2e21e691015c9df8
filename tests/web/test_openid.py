"""Signing in with a real OpenID provider: oidc-provider from npm, walked through as a browser does."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from sqlalchemy import func, select
from tests.web.door import Door, Person, open_door
from tests.web.openid_server import CLIENT, Browser, OpenIdServer, run_openid_server

from towline.actions.identities.administration import redirect_uri
from towline.actions.installation import platform_url
from towline.actions.platform import Platform
from towline.infra.documents import Documents
from towline.infra.former_hosts import FormerHosts
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.history import AuditEntry
from towline.models.identities import Identity
from towline.models.second_factors import TotpSecret

pytestmark = pytest.mark.e2e
NAME = "company"
START = f"/sign-in/with/{NAME}"
CALLBACK = f"{START}/callback"


@dataclass
class Scene:
    """Towline, the provider it knows, and who may set it up."""

    door: Door
    home: str
    server: OpenIdServer
    root: Person

    async def set_up(self, **settings: Any) -> None:
        """Let Towline know the provider."""
        body = {"name": NAME, "kind": "oidc", "title": "Company", "issuer": self.server.issuer, **CLIENT, **settings}
        await self.root.post("/identity-providers", body)

    async def count(self, model: type[User | Identity]) -> int:
        """How many rows there are."""
        async with self.door.platform.database.transaction() as work:
            return await work.session.scalar(select(func.count()).select_from(model)) or 0

    async def reasons(self) -> list[str]:
        """Why sign-ins were refused, as the audit log has it."""
        query = select(AuditEntry.detail).where(AuditEntry.action == "sessions.create", AuditEntry.outcome == "refused")
        async with self.door.platform.database.transaction() as work:
            return [detail["reason"] for detail in (await work.session.scalars(query)).all()]

    @asynccontextmanager
    async def browser(self) -> AsyncGenerator[Browser]:
        """A browser without a cookie."""
        transport = httpx2.ASGITransport(app=self.door.app, client=("203.0.113.9", 4711))
        async with httpx2.AsyncClient(transport=transport) as towline:
            browser = Browser(towline, self.home)
            try:
                yield browser
            finally:
                await browser.close()


@pytest.fixture(scope="module")
def server() -> Iterator[OpenIdServer]:
    """The provider, for all tests here."""
    with run_openid_server(f"http://towline.localhost{CALLBACK}") as server:
        yield server


@pytest.fixture
async def scene(platform: Platform, server: OpenIdServer) -> AsyncIterator[Scene]:
    """Towline beside the provider."""
    platform = replace(platform, documents=Documents(fresh_seconds=0))
    home = platform_url(platform)
    assert redirect_uri(platform, NAME) == f"http://towline.localhost{CALLBACK}"
    async with open_door(platform) as door:
        yield Scene(door, home, server, await door.add_person(is_administrator=True))


async def test_somebody_signs_up_and_later_signs_in_again(scene: Scene) -> None:
    await scene.set_up(allows_sign_up=True, email_domains=["example.com"])
    for _ in range(2):
        async with scene.browser() as browser:
            page = await browser.open(f"{scene.home}{START}?next=/account/identities")
            page = await browser.sign_in_at_provider(page, "ann")
            assert page.status_code == 200, page.text
            assert page.url.path == "/account/identities"
            assert "Ann@example.com" in page.text
            me = (await browser.towline.get(f"{scene.home}/api/v1/account")).json()
            assert me["user"]["email"] == "ann@example.com"
    assert await scene.count(User) == 2
    assert await scene.count(Identity) == 1


async def test_somebody_signs_in_after_towline_moved_as_before_until_the_old_address_is_retired(scene: Scene) -> None:
    await scene.set_up(allows_sign_up=True)
    before = scene.door.platform
    before.former_hosts.move()
    settings = before.settings.model_copy(update={"base_domain": "moved.localhost"})
    former_hosts = FormerHosts(settings.data_dir, current=settings.effective_platform_host)
    former_hosts.move()
    async with open_door(replace(before, settings=settings, former_hosts=former_hosts)) as door:
        there = replace(
            scene, door=door, home="http://towline.moved.localhost", root=replace(scene.root, http=door.http)
        )
        async with there.browser() as browser:
            page = await browser.sign_in_at_provider(await browser.open(there.home + START), "ann")
            assert (page.status_code, str(page.url)) == (200, f"{there.home}/")
            assert (await browser.towline.get(f"{there.home}/api/v1/account")).status_code == 200
        shown = await there.root.get(f"/identity-providers/{NAME}")
        assert shown["redirect_uri"] == there.home + CALLBACK
        assert shown["former_redirect_uri"] == scene.home + CALLBACK
        [former] = (await there.root.get("/platform/former-hosts"))["items"]
        assert (former["host"], former["providers"]) == ("towline.localhost", 1)
        await there.root.delete("/platform/former-hosts/towline.localhost")
        assert (await there.root.get(f"/identity-providers/{NAME}"))["former_redirect_uri"] == ""
        async with there.browser() as browser:
            page = await browser.open(there.home + START)
            assert "redirect_uri" in page.text, "the provider knows the old one alone"


async def test_nobody_signs_up_where_that_is_not_allowed(scene: Scene) -> None:
    await scene.set_up(allows_sign_up=True, email_domains=["example.com"])
    async with scene.browser() as browser:
        page = await browser.sign_in_at_provider(await browser.open(scene.home + START), "eve")
    assert page.status_code == 403
    assert "There is no user with this address here." in page.text
    assert await scene.count(Identity) == 0


async def test_an_unverified_address_leads_to_nobody(scene: Scene) -> None:
    await scene.set_up(allows_sign_up=True, is_trusted=True)
    await _add_user(scene, "ann@example.com")
    async with scene.browser() as browser:
        page = await browser.sign_in_at_provider(await browser.open(scene.home + START), "mallory")
        assert (await browser.towline.get(f"{scene.home}/api/v1/account")).status_code == 401
    assert page.status_code == 403
    assert "verified e-mail address" in page.text
    assert await scene.count(Identity) == 0


async def test_a_verified_address_links_only_where_the_provider_is_trusted(scene: Scene) -> None:
    await scene.set_up(allows_sign_up=True)
    await _add_user(scene, "ann@example.com")
    async with scene.browser() as browser:
        page = await browser.sign_in_at_provider(await browser.open(scene.home + START), "ann")
        assert "There is a user with this address already" in page.text
    await scene.root.patch(f"/identity-providers/{NAME}", {"is_trusted": True})
    async with scene.browser() as browser:
        page = await browser.sign_in_at_provider(await browser.open(scene.home + START), "ann")
        assert page.status_code == 200, page.text
    assert await scene.count(User) == 2


async def test_an_answer_counts_only_in_the_browser_that_asked_and_only_once(scene: Scene) -> None:
    await scene.set_up(allows_sign_up=True)
    async with scene.browser() as victim, scene.browser() as attacker:
        page = await attacker.open(scene.home + START)
        stopped = await attacker.sign_in_at_provider(page, "eve", until=CALLBACK)
        callback = stopped.headers["location"]
        refused = await victim.open(callback)
        assert "not begun in this browser" in refused.text
        assert (await attacker.open(_changed(callback, state="another"))).status_code == 403
        assert (await attacker.open(_changed(callback, iss="https://other.example"))).status_code == 403
        assert "finished already" in (await attacker.open(callback)).text

        stopped = await attacker.open(scene.home + START, until=CALLBACK)
        code = dict(parse_qsl(urlsplit(stopped.headers["location"]).query))["code"]
        assert (await attacker.open(stopped.headers["location"])).status_code == 200

        begun = await victim.open(scene.home + START, until="/auth")
        state = dict(parse_qsl(urlsplit(begun.headers["location"]).query))["state"]
        replayed = await victim.open(_changed(stopped.headers["location"], state=state, code=code))
        assert "does not accept this sign-in" in replayed.text
        assert (await victim.towline.get(f"{scene.home}/api/v1/account")).status_code == 401
    assert len(await scene.reasons()) == 5


async def test_a_provider_that_changed_its_keys_is_asked_again(platform: Platform, scene: Scene) -> None:
    with run_openid_server(f"http://towline.localhost{CALLBACK}") as first:
        own = replace(scene, server=first)
        await own.set_up(allows_sign_up=True)
        async with own.browser() as browser:
            page = await browser.sign_in_at_provider(await browser.open(own.home + START), "ann")
            assert page.status_code == 200, page.text
    with run_openid_server(f"http://towline.localhost{CALLBACK}", port=first.port):
        async with own.browser() as browser:
            page = await browser.sign_in_at_provider(await browser.open(own.home + START), "ann")
            assert page.status_code == 200, page.text
    async with own.browser() as browser:
        page = await browser.open(f"{own.home}/sign-in/with/{NAME}/callback?state=x&code=y")
        assert page.status_code == 403
    own.door.platform.documents.forget()
    async with own.browser() as browser:
        page = await browser.open(own.home + START)
        assert page.status_code == 502
        assert "Company does not answer" in page.text
    check = await own.root.post(f"/identity-providers/{NAME}/test")
    assert "cannot be reached" in check["problem"]


async def test_the_check_tells_a_wrong_secret_and_a_wrong_issuer(scene: Scene) -> None:
    await scene.set_up()
    path = f"/identity-providers/{NAME}"
    assert (await scene.root.post(f"{path}/test"))["is_working"]
    await scene.root.patch(path, {"client_secret": "wrong"})
    assert "client secret" in (await scene.root.post(f"{path}/test"))["problem"]
    await scene.root.patch(path, {"issuer": f"{scene.server.issuer}/nothing"})
    assert "404" in (await scene.root.post(f"{path}/test"))["problem"]


async def test_a_person_links_an_identity_only_after_seeing_whose_it_is(scene: Scene) -> None:
    await scene.set_up(allows_sign_up=True)
    async with scene.browser() as browser:
        await browser.sign_in_at_provider(await browser.open(scene.home + START), "ann")
        mine = (await browser.towline.get(f"{scene.home}/api/v1/account/identities")).json()["items"]
        headers = {"Origin": scene.home}
        path = f"{scene.home}/api/v1/account/identities/{mine[0]['id']}"
        refused = await browser.towline.delete(path, headers=headers)
        assert refused.status_code == 409, refused.text
        assert "only way" in refused.text

        await scene.root.post(
            "/identity-providers",
            {"name": "second", "kind": "oidc", "title": "Second", "issuer": scene.server.issuer, **CLIENT},
        )
        foreign = await browser.towline.post(f"{scene.home}{START}/link", headers={"Origin": "http://app.localhost"})
        assert foreign.status_code == 403
        go_on = await browser.towline.post(f"{scene.home}{START}/link", headers=headers)
        assert go_on.status_code == 200, go_on.text
        url = go_on.headers["refresh"].partition("url=")[2]
        browser.elsewhere.cookies.clear()
        page = await browser.sign_in_at_provider(await browser.open(url), "eve")
        assert "eve@elsewhere.example" in page.text
        page = await browser.submit(page)
        assert "eve@elsewhere.example" in page.text
        assert (await browser.towline.delete(path, headers=headers)).status_code == 204
    assert await scene.count(Identity) == 1


async def test_a_second_factor_is_asked_for_after_a_provider_too(scene: Scene) -> None:
    await scene.set_up(allows_sign_up=True)
    async with scene.browser() as browser:
        await browser.sign_in_at_provider(await browser.open(scene.home + START), "ann")
    async with scene.door.platform.database.transaction() as work:
        user_id = (await work.session.scalars(select(Identity.user_id))).one()
        secret = scene.door.platform.secrets.seal("A" * 32)
        work.session.add(TotpSecret(user_id=user_id, secret=secret, confirmed_at=utc_now()))
    async with scene.browser() as browser:
        page = await browser.sign_in_at_provider(await browser.open(scene.home + START), "ann")
        assert page.status_code == 200
        assert 'name="code"' in page.text
        assert (await browser.towline.get(f"{scene.home}/api/v1/account")).status_code == 401


async def _add_user(scene: Scene, email: str) -> None:
    async with scene.door.platform.database.transaction() as work:
        work.session.add(User(id="usr_ann", email=email))


def _changed(url: str, **values: str) -> str:
    parts = urlsplit(url)
    return parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), **values})).geturl()
