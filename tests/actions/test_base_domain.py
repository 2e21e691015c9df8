"""The base domain: refused where it would do harm, wished for otherwise, and followed by generated hosts."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import select
from tests.stand_ins import World, make_world

from towline.actions.access import Caller
from towline.actions.base_domain import follow_base_domain, foresee, set_base_domain
from towline.actions.platform import Platform
from towline.errors import Conflict, DiskFull, InvalidInput, Unavailable
from towline.infra.wishes import find_wish
from towline.models.base import utc_now
from towline.models.history import AuditEntry
from towline.models.second_factors import Passkey
from towline.models.services import Route, Workload
from towline.names import new_id

_ROOT = Caller("usr_root", is_administrator=True)
_NEW = {"TOWLINE_BASE_DOMAIN": "apps.example.com"}


async def leads_here(host: str) -> Sequence[str]:
    """A resolver that knows every name."""
    assert host == "towline-check.apps.example.com"
    return ("203.0.113.9",)


async def leads_nowhere(host: str) -> Sequence[str]:
    """A resolver that knows none."""
    assert host
    return ()


@pytest.fixture
def supervisor() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that ends when it is told to look for a wish."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.fixture
def supervised(platform: Platform, supervisor: "subprocess.Popen[bytes]") -> Platform:
    """The platform as if that process had started it."""
    (platform.settings.data_dir / "run").mkdir()
    return with_settings(platform, supervisor=supervisor.pid)


def with_settings(platform: Platform, **values: object) -> Platform:
    """The same platform with other settings, as after a new start."""
    return replace(platform, settings=platform.settings.model_copy(update=values))


async def test_a_domain_that_leads_here_is_wished_for_and_the_supervisor_told(
    supervised: Platform, supervisor: "subprocess.Popen[bytes]"
) -> None:
    address, is_restarting = await set_base_domain(
        supervised, _ROOT, "apps.example.com", even_if_unreachable=False, look_up=leads_here
    )
    assert (address.url, is_restarting) == ("http://towline.apps.example.com", True)
    assert supervisor.wait(10) == -signal.SIGUSR1
    assert find_wish(supervised.settings.data_dir) == _NEW
    async with supervised.database.transaction() as work:
        entry = (await work.session.scalars(select(AuditEntry))).one()
    assert (entry.action, entry.detail["base_domain"], entry.detail["was"]) == (
        "platform.update",
        "apps.example.com",
        "localhost",
    )


async def test_a_full_disk_is_told_and_the_domain_stays(supervised: Platform) -> None:
    data_dir = supervised.settings.data_dir
    (data_dir / "run" / f".wish.json.{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(DiskFull):
        await set_base_domain(supervised, _ROOT, "apps.example.com", even_if_unreachable=True)
    assert find_wish(data_dir) == {}


async def test_a_domain_without_dns_is_refused_unless_it_is_wanted_all_the_same(supervised: Platform) -> None:
    with pytest.raises(InvalidInput, match="has no address") as refused:
        await set_base_domain(supervised, _ROOT, "apps.example.com", even_if_unreachable=False, look_up=leads_nowhere)
    assert refused.value.field == "base_domain"
    assert "*.apps.example.com to this server's address" in refused.value.hint
    assert find_wish(supervised.settings.data_dir) == {}
    await set_base_domain(supervised, _ROOT, "apps.example.com", even_if_unreachable=True, look_up=leads_nowhere)
    assert find_wish(supervised.settings.data_dir) == _NEW


async def test_the_same_domain_again_asks_for_nothing_and_the_last_one_wins(
    supervised: Platform, supervisor: "subprocess.Popen[bytes]"
) -> None:
    folder = supervised.settings.data_dir
    address, is_restarting = await set_base_domain(supervised, _ROOT, "localhost", even_if_unreachable=False)
    assert (address.platform_host, is_restarting, find_wish(folder)) == ("towline.localhost", False, {})
    await set_base_domain(supervised, _ROOT, "apps.localhost", even_if_unreachable=False)
    _, is_restarting = await set_base_domain(supervised, _ROOT, "apps.localhost", even_if_unreachable=False)
    assert is_restarting
    supervisor.wait(10)  # by the first wish; the next one is kept all the same
    with pytest.raises(Unavailable):
        await set_base_domain(supervised, _ROOT, "localhost", even_if_unreachable=False)
    assert find_wish(folder) == {"TOWLINE_BASE_DOMAIN": "localhost"}


async def test_without_a_supervisor_it_says_where_to_set_it(platform: Platform) -> None:
    with pytest.raises(Conflict, match="not run by `towline up`") as refused:
        await set_base_domain(platform, _ROOT, "apps.example.com", even_if_unreachable=True)
    assert "TOWLINE_BASE_DOMAIN=apps.example.com" in refused.value.hint


@pytest.mark.parametrize("host", ["towline.apps.example.com", "apps.example.com"])
async def test_a_host_that_an_app_has_is_not_taken_from_it(supervised: Platform, host: str) -> None:
    world = await make_world(supervised)
    await world.deploy_successfully()
    workload = await world.get_workload()
    async with supervised.database.transaction() as work:
        work.session.add(Route(id=new_id("rou"), workload_id=workload.id, host=host, kind="custom"))
    with pytest.raises(Conflict, match=f"^{host} leads to an app"):
        await set_base_domain(supervised, _ROOT, "apps.example.com", even_if_unreachable=False, look_up=leads_here)
    assert find_wish(supervised.settings.data_dir) == {}


async def test_what_would_change_is_counted_before(world: World) -> None:
    await world.deploy_successfully()
    platform = world.platform
    async with platform.database.transaction() as work:
        values = {"user_id": world.user.id, "credential_id": b"1", "public_key": b"2", "name": "Key"}
        values |= {"sign_count": 0, "transports": []}
        work.session.add(Passkey(id=new_id("psk"), created_at=utc_now(), **values))
        await work.session.flush()
        change = await foresee(platform, work, "apps.example.com")
        fixed = await foresee(with_settings(platform, platform_host="towline.example.net"), work, "apps.example.com")
    assert (change.hosts, change.passkeys, change.webhooks, change.providers) == (1, 1, 0, 0)
    assert (change.address.url, fixed.address.url) == ("http://towline.apps.example.com", "http://towline.example.net")
    assert (fixed.hosts, fixed.passkeys) == (1, 0)


@pytest.mark.parametrize(("before", "after"), [("localhost", "apps.localhost"), ("apps.localhost", "localhost")])
async def test_generated_hosts_follow_without_a_deployment(platform: Platform, before: str, after: str) -> None:
    old, new = with_settings(platform, base_domain=before), with_settings(platform, base_domain=after)
    world = await make_world(old)
    other = await make_world(old, name="blog")
    async with old.database.transaction() as work:
        project = await work.session.merge(other.project)
        project.base_domain = "blog.example.com"
    other.project = project
    for one in (world, other):
        await one.deploy_successfully()
    await follow_base_domain(new)
    assert await _hosts(new) == {f"web-shop.{after}", "web-blog.blog.example.com"}
    await follow_base_domain(new)
    assert await _hosts(new) == {f"web-shop.{after}", "web-blog.blog.example.com"}


async def test_a_host_that_is_taken_at_the_new_domain_gets_another_name(platform: Platform) -> None:
    world = await make_world(platform)
    await world.deploy_successfully()
    workload = await world.get_workload()
    async with platform.database.transaction() as work:
        taken = Route(id=new_id("rou"), workload_id=workload.id, host="web-shop.apps.localhost", kind="custom")
        work.session.add(taken)
    await follow_base_domain(with_settings(platform, base_domain="apps.localhost"))
    suffix = world.service.id[-8:]
    assert await _hosts(platform) == {"web-shop.apps.localhost", f"web-shop-{suffix}.apps.localhost"}


async def _hosts(platform: Platform) -> set[str]:
    query = select(Route.host).join(Workload, Workload.id == Route.workload_id)
    async with platform.database.transaction() as work:
        return set(await work.session.scalars(query))
