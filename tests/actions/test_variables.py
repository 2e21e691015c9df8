"""Variables: merge order, origin, limits by kind, and sealing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stand_ins import World

from towline.actions.configuration.resolving import Target, resolve_variables
from towline.actions.platform import Platform
from towline.actions.variables import (
    LEVELS,
    EffectiveVariable,
    merge,
    open_variables,
    seal_variables,
    variable_context,
)
from towline.errors import KeyMismatch
from towline.models.projects import Environment
from towline.models.services import Service, Variable
from towline.names import new_id
from towline.values import EnvironmentKind

_names = st.sampled_from(["A", "B", "C"])
_levels = st.dictionaries(st.sampled_from(LEVELS), st.dictionaries(_names, st.text(), max_size=3), max_size=4)


@given(_levels)
def test_the_later_level_wins_and_says_what_it_hides(values: dict[str, dict[str, str]]) -> None:
    levels = {
        level: [EffectiveVariable(name, value, False, origin=level) for name, value in items.items()]
        for level, items in values.items()
    }
    merged = merge(levels)

    expected: dict[str, str] = {}
    for level in LEVELS:
        expected |= values.get(level, {})
    assert {name: variable.value for name, variable in merged.items()} == expected
    for name, variable in merged.items():
        holders = [level for level in LEVELS if name in values.get(level, {})]
        assert (*variable.hides, variable.origin) == tuple(holders)


async def add(world: World, name: str, value: str, **columns: Any) -> None:
    variable = Variable(id=new_id("var"), name=name, value=b"", **columns)
    variable.value = world.platform.secrets.seal(value, context=variable_context(variable))
    async with world.platform.database.transaction() as work:
        work.session.add(variable)


async def effective(world: World, kind: EnvironmentKind) -> dict[str, str]:
    environment = Environment(id=world.environment.id, name=kind.value, kind=kind.value)
    async with world.platform.database.transaction() as work:
        target = Target(world.project, world.service, environment, "c0ffee")
        found = await resolve_variables(world.platform, work, target)
    return {name: variable.value for name, variable in found.items()}


async def test_secrets_of_upper_levels_reach_previews_only_when_marked_so(world: World) -> None:
    await add(world, "PLAIN", "1", level="project", project_id=world.project.id)
    await add(world, "SECRET", "2", level="project", project_id=world.project.id, is_secret=True)
    marked = ["production", "preview"]
    await add(world, "MARKED", "3", level="global", is_secret=True, environment_kinds=marked)
    await add(world, "STAGING", "4", level="service", service_id=world.service.id, environment_kinds=["staging"])

    assert await effective(world, EnvironmentKind.PRODUCTION) == {"PLAIN": "1", "SECRET": "2"}
    assert await effective(world, EnvironmentKind.PREVIEW) == {"PLAIN": "1"}
    world.project.takes_global_secrets = True
    assert await effective(world, EnvironmentKind.PRODUCTION) == {"PLAIN": "1", "SECRET": "2", "MARKED": "3"}
    assert await effective(world, EnvironmentKind.PREVIEW) == {"PLAIN": "1", "MARKED": "3"}


async def test_previews_have_variables_of_all_and_of_their_own(world: World) -> None:
    await add(world, "A", "service", level="service", service_id=world.service.id)
    await add(world, "A", "all previews", level="preview", project_id=world.project.id)
    await add(world, "B", "all previews", level="preview", project_id=world.project.id, is_secret=True)
    await add(world, "B", "this one", level="preview", environment_id=world.environment.id)

    assert await effective(world, EnvironmentKind.PRODUCTION) == {"A": "service"}
    assert await effective(world, EnvironmentKind.PREVIEW) == {"A": "all previews", "B": "this one"}


async def test_references_are_resolved_and_give_the_one_referred_to_an_address(world: World) -> None:
    other = Service(id=new_id("svc"), project_id=world.project.id, name="api", type="web", source_type="custom")
    async with world.platform.database.transaction() as work:
        work.session.add(other)
    await add(world, "PASSWORD", "p$w ${", level="service", service_id=other.id, is_secret=True)
    await add(world, "MINE", "${{ variables.URL }}/x", level="service", service_id=world.service.id)
    await add(world, "URL", "${{services.api.internal_url}}", level="service", service_id=world.service.id)
    await add(world, "OPEN", "${{ services.api.url }}", level="service", service_id=world.service.id)
    await add(world, "DSN", "u:${{ services.api.variables.PASSWORD }}@", level="service", service_id=world.service.id)
    await add(
        world,
        "WHERE",
        "${{ project.name }} ${{ deployment.commit }} $${{",
        level="project",
        project_id=world.project.id,
    )

    found = await effective(world, EnvironmentKind.PRODUCTION)
    assert found["MINE"] == "http://api.internal/x"
    assert found["OPEN"].startswith("http://api-")
    assert found["DSN"] == "u:p$w ${@"
    assert found["WHERE"] == f"{world.project.name} c0ffee ${{{{"


async def test_a_release_keeps_the_variables_it_was_made_with(world: World) -> None:
    await add(world, "TEXT", "$HOME 'x' \"y\"\n☃", level="service", service_id=world.service.id)
    await world.deploy_successfully()
    [instance] = await world.platform.orchestrator.list_instances()

    assert instance.release_id == (await world.get_workload()).release_id


def test_sealed_variables_open_only_for_their_release(platform: Platform) -> None:
    variables = {"A": EffectiveVariable("A", "1", True, origin="service")}
    sealed = seal_variables(platform, variables, release_id="rel_1")

    assert b"A" not in sealed[-20:] or sealed != b'{"A"'
    assert open_variables(platform, sealed, release_id="rel_1") == ({"A": "1"}, ["1"])
    with pytest.raises(KeyMismatch):
        open_variables(platform, sealed, release_id="rel_2")
