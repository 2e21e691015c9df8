"""Rows read past the session are those that the session gives."""

from typing import Any

import pytest
from sqlalchemy import Integer, Text, bindparam, false, func, literal, select, true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import aliased
from tests.stand_ins import World

from towline.infra.database import Work
from towline.infra.reads import Read, ReadModels, ReadRows
from towline.models.projects import Project
from towline.models.services import Service, Workload

_MINE = Project.id == bindparam("project_id")
_FIRST = select(Service).where(Service.project_id == Project.id).correlate(Project).limit(1)
_EACH = aliased(Service, _FIRST.lateral())
_ROWS = ReadRows(
    select(Project, Service.name.label("service"), _EACH, Workload, func.now().is_not(None).label("is_now"))
    .join(Service, Service.project_id == Project.id)
    .join(_EACH, true())
    .join(Workload, false(), isouter=True)
    .where(_MINE)
)
_PROJECTS = ReadModels(select(Project).where(_MINE))
_NAMES = Read(select(Project.id, Project.name, Project.created_at, Project.preview_rules).where(_MINE))
_FAILING = Read(select((literal(1, Integer) / func.length(bindparam("nothing", type_=Text()))).label("ratio")))


def columns_of(model: Any) -> dict[str, Any]:
    return {column.key: getattr(model, column.key) for column in model.__table__.columns}


async def read_all(world: World, work: Work) -> list[Any]:
    wanted = {"project_id": world.project.id}
    (row,) = await _ROWS.fetch_in(work, **wanted)
    (project,) = await _PROJECTS.fetch_in(work, **wanted)
    (names,) = await _NAMES.fetch_in(work, **wanted)
    mine, service, each, nobody, is_now = row
    assert (row.service, row.is_now) == (service, is_now)
    return [columns_of(mine), service, columns_of(each), nobody, is_now, columns_of(project), dict(names)]


async def test_reading_and_a_transaction_give_the_same(world: World) -> None:
    async with world.platform.database.reading() as work:
        read = await read_all(world, work)
    async with world.platform.database.transaction() as work:
        assert await read_all(world, work) == read
    assert read[0]["name"] == "shop"
    assert read[3] is None
    assert read[2]["id"] == world.service.id


async def test_a_transaction_reads_what_it_has_changed(world: World) -> None:
    async with world.platform.database.transaction() as work:
        project = await work.session.get_one(Project, world.project.id)
        project.name = "renamed"
        (names,) = await _NAMES.fetch_in(work, project_id=project.id)
        (same,) = await _PROJECTS.fetch_in(work, project_id=project.id)
    assert names["name"] == "renamed"
    assert same is project


async def test_an_error_is_told_as_the_session_tells_it(world: World) -> None:
    for opened in (world.platform.database.reading(), world.platform.database.transaction()):
        with pytest.raises(DBAPIError, match="division by zero"):
            async with opened as work:
                await _FAILING.fetch_in(work, nothing="")
