"""Rotation of the sealing key: while everything runs, across interruptions, and never losing a value."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import LargeBinary, select, update
from tests.stand_ins import World, make_world, stand_in_platform

from towline.actions.deployments.credentials import credential_context
from towline.actions.key_check import ensure_key_matches
from towline.actions.platform import Platform
from towline.actions.resealing import Resealing, Sealing, get_sealing, rotate_key
from towline.actions.sealed_columns import NOT_SEALED, SEALED
from towline.actions.variables import variable_context
from towline.errors import KeyMismatch
from towline.infra.secrets import load_secret_box
from towline.models.services import Service, Variable
from towline.models.tables import all_tables
from towline.names import new_id

_NONE = timedelta(0)


async def _add_variables(world: World, count: int, *, start: int = 0) -> None:
    async with world.platform.database.transaction() as work:
        for number in range(start, start + count):
            row = Variable(id=new_id("var"), level="project", project_id=world.project.id, name=f"V{number}")
            row.value = world.platform.secrets.seal(str(number), context=variable_context(row))
            work.session.add(row)


async def _sealing(platform: Platform) -> Sealing:
    async with platform.database.transaction() as work:
        return await get_sealing(platform, work.session)


async def _rows(platform: Platform) -> dict[str, Variable]:
    async with platform.database.transaction() as work:
        return {row.name: row for row in await work.session.scalars(select(Variable))}


def test_every_column_of_bytes_is_either_sealed_or_said_not_to_be() -> None:
    found = {
        f"{table.name}.{column.name}"
        for table in all_tables().tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    sealed = {column.name for column in SEALED}
    assert len(sealed) == len(SEALED)
    assert found == sealed | NOT_SEALED, "put new columns into SEALED or NOT_SEALED of actions/sealed_columns.py"
    assert not sealed & NOT_SEALED


async def test_a_rotation_seals_everything_anew_and_then_drops_the_old_key(world: World) -> None:
    platform = world.platform
    await _add_variables(world, 450)
    secret = platform.secrets.seal("token", context=credential_context(world.service))
    await world.change_service(source_credential=secret)
    before = await _rows(platform)
    old_id = platform.secrets.active_key_id
    new_id_ = await rotate_key(platform)
    assert new_id_ not in {"", old_id}
    assert await rotate_key(platform) == "", "one is going on already"
    assert (await _sealing(platform)).remaining == 451
    resealing = Resealing(platform, grace=_NONE)
    await resealing.run()
    sealing = await _sealing(platform)
    assert (sealing.values, sealing.remaining) == (451, 0)
    assert [(key.key_id, key.values, key.is_current) for key in sealing.keys] == [(new_id_, 451, True)]
    after = await _rows(platform)
    for name, row in after.items():
        assert platform.secrets.is_current(row.value)
        assert platform.secrets.open_text(row.value, context=variable_context(row)) == name[1:]
        assert row.updated_at == before[name].updated_at, "nothing a person did"
    async with platform.database.transaction() as work:
        service = await work.session.get(Service, world.service.id)
        assert service is not None
        assert service.source_credential is not None
        assert platform.secrets.open(service.source_credential, context=credential_context(service)) == b"token"


async def test_an_interrupted_rotation_goes_on_in_another_process(world: World) -> None:
    platform = world.platform
    await _add_variables(world, 3)
    await rotate_key(platform)
    rows = await _rows(platform)
    async with platform.database.transaction() as work:  # one was sealed anew before the process died
        value = platform.secrets.seal("0", context=variable_context(rows["V0"]))
        await work.session.execute(update(Variable).where(Variable.name == "V0").values(value=value))
    assert (await _sealing(platform)).remaining == 2
    await Resealing(platform, grace=_NONE).run()
    assert len(platform.secrets.list_keys()) == 1
    assert {platform.secrets.is_current(row.value) for row in (await _rows(platform)).values()} == {True}


async def test_an_old_key_stays_while_a_transaction_may_still_write_with_it(world: World) -> None:
    platform = world.platform
    await _add_variables(world, 1)
    async with platform.database.transaction() as slow:
        await slow.session.execute(select(Variable).with_for_update())
        rows = list(await slow.session.scalars(select(Variable)))
        late = platform.secrets.seal("late", context=variable_context(rows[0]))
        await rotate_key(platform)
        resealing = Resealing(platform, grace=_NONE)
        await resealing.run()
        assert len(platform.secrets.list_keys()) == 2
        await slow.session.execute(update(Variable).values(value=late))
    await resealing.run()
    assert len(platform.secrets.list_keys()) == 1
    [row] = (await _rows(platform)).values()
    assert platform.secrets.open_text(row.value, context=variable_context(row)) == "late"


async def test_a_value_that_opens_no_more_keeps_its_key_and_hinders_no_other(world: World) -> None:
    platform = world.platform
    await _add_variables(world, 3)
    rows = await _rows(platform)
    damaged = rows["V1"].value[:-1] + bytes([rows["V1"].value[-1] ^ 1])
    async with platform.database.transaction() as work:
        await work.session.execute(update(Variable).where(Variable.name == "V1").values(value=damaged))
    await rotate_key(platform)
    await Resealing(platform, grace=_NONE).run()
    sealing = await _sealing(platform)
    assert sealing.remaining == 1
    assert [key.values for key in sealing.keys] == [2, 1]


async def test_nothing_starts_with_a_key_file_that_is_not_the_databases(world: World, tmp_path: Path) -> None:
    platform, path = world.platform, world.platform.settings.key_file
    await ensure_key_matches(platform.database, path)
    await ensure_key_matches(platform.database, path)
    await rotate_key(platform)
    await Resealing(platform, grace=_NONE).run()
    await ensure_key_matches(platform.database, path)
    kept = shutil.copy(path, tmp_path / "kept")
    path.unlink()
    with pytest.raises(KeyMismatch, match="is missing") as caught:
        await ensure_key_matches(platform.database, path)
    assert str(path) in caught.value.message
    assert not path.exists()
    load_secret_box(path)
    with pytest.raises(KeyMismatch, match="does not belong to this database"):
        await ensure_key_matches(platform.database, path)
    shutil.copy(kept, path)
    await ensure_key_matches(platform.database, path)


async def test_a_database_from_before_the_check_is_taken_with_its_own_key_file_only(world: World) -> None:
    platform, path = world.platform, world.platform.settings.key_file
    await _add_variables(world, 2)
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(KeyMismatch, match="does not belong"):
        await ensure_key_matches(platform.database, path)
    path.write_bytes(kept)
    await ensure_key_matches(platform.database, path)


async def test_two_start_ups_never_share_a_secret(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    found: list[Any] = []
    for name in ("one", "two"):
        async with stand_in_platform(tmp_path / name, postgres_url=postgres_url, redis_url=redis_url) as platform:
            await make_world(platform, name=name)
            found += [key.key for key in platform.secrets.list_keys()]
    assert len(set(found)) == len(found) == 2
