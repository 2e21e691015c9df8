"""HTTP: variables of projects and services."""

from typing import cast

from towline.actions.environments import get_environment
from towline.actions.platform import Platform
from towline.actions.services import get_service
from towline.actions.variable_settings import (
    Place,
    WantedVariable,
    delete_variable,
    list_variables,
    set_variables,
    show_value,
)
from towline.contract.variables import (
    Variable,
    VariableDeleteQuery,
    VariableLevel,
    VariableList,
    VariableQuery,
    VariablesSet,
)
from towline.models.projects import Environment
from towline.models.services import Variable as VariableRow
from towline.values import EnvironmentKind
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("variables.list")
async def list_(call: Call, query: VariableQuery) -> VariableList:
    """Variables of a project, or of a service with what it inherits."""
    environment = None
    if query.environment is not None:
        environment = await get_environment(call.work, call.project.id, query.environment)
    return await _show(call, await _place(call, query.service), environment)


@router.operation("variables.set")
async def set_(call: Call, body: VariablesSet) -> VariableList:
    """Set variables; others stay as they are."""
    place = await _place(call, body.service)
    wanted = [
        WantedVariable(item.name, item.value, item.is_secret, tuple(kind.value for kind in item.environment_kinds))
        for item in body.variables
    ]
    await set_variables(call.platform, call.work, place, wanted)
    call.note(place.service.id if place.service else call.project.id, names=sorted(item.name for item in wanted))
    return await _show(call, place, None)


@router.operation("variables.delete")
async def delete(call: Call, query: VariableDeleteQuery) -> None:
    """Delete a variable."""
    place = await _place(call, query.service)
    variable = await delete_variable(call.platform, call.work, place, call.path["name"])
    call.note(variable.id, names=[variable.name])


async def _place(call: Call, service: str | None) -> Place:
    if service is None:
        return Place(call.project)
    return Place(call.project, await get_service(call.session, call.project.id, service))


async def _show(call: Call, place: Place, environment: Environment | None) -> VariableList:
    rows = await list_variables(call.work, place, environment=environment)
    return VariableList(items=[_shown(call.platform, row) for row in rows])


def _shown(platform: Platform, row: VariableRow) -> Variable:
    return Variable(
        name=row.name,
        value=show_value(platform, row),
        is_secret=row.is_secret,
        level=cast("VariableLevel", row.level),
        environment_kinds=[EnvironmentKind(kind) for kind in row.environment_kinds or ()],
        updated_at=row.updated_at,
    )
