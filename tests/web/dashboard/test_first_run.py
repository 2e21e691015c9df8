"""The first run in the browser: first steps, the base domain looked up and set, the example."""

import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.stand_ins import make_world, stand_in_platform
from tests.web.browser import HOST, Browser
from tests.web.door import Door, open_door

from towline.actions.sessions import open_session
from towline.infra.former_hosts import FormerHosts
from towline.infra.wishes import find_wish
from towline.models.base import utc_now
from towline.models.deployments import Deployment
from towline.models.sessions import Session

_ASKED = "/instance/domain?domain=apps.localhost"


@pytest.fixture
def supervisor() -> Iterator[int]:
    """A process that stands for the supervisor."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process.pid
        process.kill()


@pytest.fixture
async def supervised(tmp_path: Path, postgres_url: str, redis_url: str, supervisor: int) -> AsyncIterator[Door]:
    """The door of a platform that a supervisor runs."""
    (tmp_path / "run").mkdir()
    urls = {"postgres_url": postgres_url, "redis_url": redis_url}
    async with stand_in_platform(tmp_path, **urls, supervisor=supervisor) as platform, open_door(platform) as door:
        yield door


async def _administrator(door: Door) -> Browser:
    """Somebody new who administers the instance, signed in."""
    person = await door.add_person(is_administrator=True)
    async with door.platform.database.transaction() as work:
        opened = await open_session(
            door.platform, work, user_id=person.user_id, method="password", device="test", address=""
        )
    browser = Browser(door.app)
    browser.http.cookies.set("towline_session", opened.value)
    return browser


async def _first_steps(root: Browser) -> str:
    page = (await root.get("/")).text
    return page.partition('id="first-part"')[2].partition("</section>")[0]


async def test_an_empty_instance_offers_a_domain_and_four_ways_to_a_first_deployment(supervised: Door) -> None:
    root = await _administrator(supervised)
    steps = await _first_steps(root)
    assert 'action="/instance/domain"' in steps
    assert "Keep localhost for now" in steps
    assert [f'href="/?source={way}#new"' in steps for way in ("git", "upload", "image")] == [True] * 3
    assert 'action="/example"' in steps
    for way in ("git", "upload", "image"):
        form = (await root.get(f"/?source={way}")).text
        assert re.findall(r'value="(\w+)" checked', form) == [way]
    assert re.findall(r'value="(\w+)" checked', (await root.get("/?source=nonsense")).text) == ["git"]


async def test_the_example_is_followed_in_the_first_steps(supervised: Door) -> None:
    root = await _administrator(supervised)
    sent = await root.send("/example", {"sent": "yes"})
    assert sent.status_code == 303, sent.text
    place = sent.headers["location"]
    assert (sent.status_code, place.startswith("/deployments/")) == (303, True)
    assert (await root.send("/example", {"sent": "yes"})).headers["location"] == place
    steps = await _first_steps(root)
    assert (place in steps, 'action="/example"' in steps, "Waits for the first deployment" in steps) == (
        True,
        False,
        True,
    )
    async with supervised.platform.database.transaction() as work:
        await work.session.execute(update(Deployment).values(status="success"))
    assert "The example answers at" in await _first_steps(root)
    assert 'href="http://hello.localhost"' in await _first_steps(root)


async def test_without_a_supervisor_the_page_says_where_the_domain_is_set(door: Door) -> None:
    root = await _administrator(door)
    assert 'action="/instance/domain"' not in await _first_steps(root)
    page = (await root.get("/instance/domain")).text
    assert ("TOWLINE_BASE_DOMAIN" in page, 'action="/instance/domain"' in page) == (True, False)


async def test_a_domain_is_looked_up_and_its_consequences_are_said_before_it_is_set(supervised: Door) -> None:
    root = await _administrator(supervised)
    world = await make_world(supervised.platform)
    await world.deploy_successfully()
    page = await root.get(_ASKED)
    said = re.sub(r"<[^>]+>", "", page.text)
    assert "1 generated address gets a new name" in said
    assert "The dashboard moves to http://towline.apps.localhost" in said
    assert "Towline starts again" in said
    assert "passkey" not in said.partition("Change to")[2]
    assert page.headers["content-security-policy"].endswith("connect-src 'self' http://towline.apps.localhost")
    assert 'name="even_if_unreachable"' not in page.text
    assert (await root.get("/")).headers["content-security-policy"].endswith("connect-src 'self'")
    assert "is the base domain already" in (await root.get("/instance/domain?domain=localhost")).text
    odd = await root.get("/instance/domain?domain=10.0.0.1%22%3E%3Cb%3E")
    assert (odd.status_code, 'role="alert"' in odd.text, "<b>" in odd.text) == (200, True, False)


async def test_a_domain_without_dns_needs_a_tick(supervised: Door) -> None:
    root = await _administrator(supervised)
    page = (await root.get("/instance/domain?domain=nowhere.invalid")).text
    assert ("nowhere.invalid has no address" in page, 'name="even_if_unreachable" required' in page) == (True, True)
    refused = await root.send("/instance/domain", {"domain": "nowhere.invalid"})
    assert (refused.status_code, find_wish(supervised.platform.settings.data_dir)) == (422, {})


async def test_a_script_is_told_where_to_go_and_a_browser_without_one_is_shown(supervised: Door) -> None:
    root = await _administrator(supervised)
    headers = {"Origin": root.origin, "X-Towline-Form": "1"}
    told = await root.http.post("/instance/domain", data={"domain": "apps.localhost"}, headers=headers)
    assert told.json() == {"to": "http://towline.apps.localhost"}
    assert find_wish(supervised.platform.settings.data_dir) == {"TOWLINE_BASE_DOMAIN": "apps.localhost"}
    shown = await root.send("/instance/domain", {"domain": "apps.localhost"})
    assert (shown.status_code, shown.headers["refresh"]) == (200, "20; http://towline.apps.localhost")
    assert 'href="http://towline.apps.localhost"' in shown.text
    assert f'href="http://{HOST}"' in shown.text
    for needed in ("src=", "<link", "<script"):
        assert needed not in shown.text, "it is read while Towline does not answer"


async def test_former_addresses_are_shown_and_retired(supervised: Door) -> None:
    root, platform = await _administrator(supervised), supervised.platform
    assert "Former addresses" not in (await root.get("/instance/domain")).text
    FormerHosts(platform.settings.data_dir, current="towline.old.test").move()
    platform.former_hosts.move()
    page = (await root.get("/instance/domain")).text
    assert ("<code>towline.old.test</code>" in page, "never" in page.partition("former-part")[2]) == (True, True)
    assert (await root.send("/instance/domain/retire", {"host": " "})).status_code == 404
    sent = await root.send("/instance/domain/retire", {"host": "towline.old.test"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/instance/domain")
    assert "Former addresses" not in (await root.get("/instance/domain")).text


async def test_an_old_session_must_prove_whose_it_is_before_it_retires_an_address(supervised: Door) -> None:
    root, platform = await _administrator(supervised), supervised.platform
    FormerHosts(platform.settings.data_dir, current="towline.old.test").move()
    platform.former_hosts.move()
    async with platform.database.transaction() as work:
        await work.session.execute(update(Session).values(authenticated_at=utc_now() - timedelta(hours=1)))
    page = (await root.get("/instance/domain")).text
    assert ("Is it still you?" in page, "account.js" in page, 'action="/instance/domain/retire"' in page) == (
        True,
        True,
        False,
    )


async def test_an_old_session_must_prove_whose_it_is(supervised: Door) -> None:
    root = await _administrator(supervised)
    async with supervised.platform.database.transaction() as work:
        await work.session.execute(update(Session).values(authenticated_at=utc_now() - timedelta(hours=1)))
    page = (await root.get(_ASKED)).text
    assert ("Is it still you?" in page, 'data-domain="' in page) == (True, False)
    refused = await root.send("/instance/domain", {"domain": "apps.localhost"})
    assert (refused.status_code, find_wish(supervised.platform.settings.data_dir)) == (403, {})
