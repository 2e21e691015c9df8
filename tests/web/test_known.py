"""What the questions of one page share, and what they do not."""

import asyncio

import pytest
from starlette.requests import Request
from tests.stand_ins import make_world

from towline.actions.access import Caller, Permission, permit
from towline.actions.platform import Platform
from towline.errors import Forbidden, NotFound
from towline.web.known import Known, find_known, share

STRANGER = Caller("usr_stranger")


async def test_a_project_and_a_service_are_looked_up_once_by_name_and_id(platform: Platform) -> None:
    world = await make_world(platform)
    known = Known(platform.database, Caller(world.user.id, is_administrator=True))
    first, second = await asyncio.gather(known.project("shop"), known.project("shop"))
    assert first.project is not None
    assert first is second is await known.project(world.project.id)
    service = await known.service(world.project.id, "web")
    assert service is await known.service(world.project.id, world.service.id)


async def test_what_is_shared_allows_nothing(platform: Platform) -> None:
    world = await make_world(platform)
    mine = Caller(world.user.id, is_administrator=True, scopes=frozenset({"view_projects"}))
    found = await Known(platform.database, mine).project("shop")
    assert permit(mine, Permission.VIEW_PROJECTS, found, reference="shop").id == world.project.id
    with pytest.raises(Forbidden):
        permit(mine, Permission.DEPLOY, found, reference="shop")
    nothing = await Known(platform.database, STRANGER).project("shop")
    with pytest.raises(NotFound):
        permit(STRANGER, Permission.VIEW_PROJECTS, nothing, reference="shop")


async def test_what_one_caller_knows_is_not_given_to_another(platform: Platform) -> None:
    mine = Caller("usr_mine")
    request = Request({"type": "http", "headers": []})
    assert find_known(request, mine) is None
    known = Known(platform.database, mine)
    share(request, known)
    assert find_known(request, mine) is known
    assert find_known(request, STRANGER) is None
