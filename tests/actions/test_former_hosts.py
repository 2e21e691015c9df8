"""Former addresses of Towline: no app gets one while it is kept, and the next one may have it once it is retired."""

import os
from dataclasses import replace

import pytest
from sqlalchemy import select
from tests.stand_ins import World, make_world

from towline.actions.access import Caller
from towline.actions.domains import WantedRoute, add_route
from towline.actions.former_hosts import keep_former_host, list_former_hosts, note_use, retire_former_host
from towline.actions.platform import Platform
from towline.errors import DiskFull, InvalidInput, NotFound
from towline.infra.former_hosts import FormerHosts
from towline.models.history import AuditEntry
from towline.models.services import Route

_ROOT = Caller("usr_root", is_administrator=True)
_OLD = "towline.apps.localhost"


@pytest.fixture
async def moved(platform: Platform) -> Platform:
    """The platform after it moved from `towline.apps.localhost` to `towline.localhost`."""
    folder = platform.settings.data_dir
    await keep_former_host(replace(platform, former_hosts=FormerHosts(folder, current=_OLD)))
    await keep_former_host(platform)
    return platform


async def test_no_app_may_have_it_until_it_is_retired(moved: Platform) -> None:
    world = await make_world(moved)
    with pytest.raises(InvalidInput, match="was the host of Towline itself") as refused:
        await _add(world, _OLD)
    assert f"towline domains retire {_OLD}" in refused.value.hint
    await retire_former_host(moved, _ROOT, _OLD)
    await _add(world, _OLD)


async def test_no_app_gets_it_as_its_generated_host(moved: Platform) -> None:
    world = await make_world(moved, name="towline")
    async with moved.database.transaction() as work:
        project = await work.session.merge(world.project)
        project.base_domain = "apps.localhost"
        service = await work.session.merge(world.service)
        service.name = "towline"
    world.project, world.service = project, service
    await world.deploy_successfully()
    async with moved.database.transaction() as work:
        assert list(await work.session.scalars(select(Route.host))) == [f"towline-{service.id[-8:]}.apps.localhost"]


async def test_retiring_is_audited_and_done_once(moved: Platform) -> None:
    await retire_former_host(moved, _ROOT, _OLD)
    with pytest.raises(NotFound, match="no former address"):
        await retire_former_host(moved, _ROOT, _OLD)
    async with moved.database.transaction() as work:
        entry = (await work.session.scalars(select(AuditEntry))).one()
    assert (entry.action, entry.detail) == ("platform.retireFormerHost", {"host": _OLD})


async def test_a_full_disk_is_told_when_it_matters_and_only_then(moved: Platform) -> None:
    (moved.settings.data_dir / f".former-hosts.json.{os.getpid()}").symlink_to("/dev/full")
    await note_use(moved, _OLD)
    elsewhere = FormerHosts(moved.settings.data_dir, current="towline.example.com")
    await keep_former_host(replace(moved, former_hosts=elsewhere))
    with pytest.raises(DiskFull):
        await retire_former_host(moved, _ROOT, _OLD)
    assert [one.host for one in list_former_hosts(moved)] == [_OLD]


async def _add(world: World, host: str) -> None:
    wanted = WantedRoute(host, "/", strip_prefix=False, has_certificate=False, redirect_to_https=False)
    async with world.platform.database.transaction() as work:
        await add_route(
            world.platform,
            work,
            project=world.project,
            service=world.service,
            environment=world.environment,
            wanted=wanted,
        )
