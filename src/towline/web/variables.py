"""HTTP: variables of projects and services, and those of every project."""

from collections.abc import Sequence
from typing import Protocol

from towline.actions.configuration.history import undo_change
from towline.actions.configuration.places import Place
from towline.actions.configuration.settings import (
    WantedVariable,
    delete_variable,
    get_variable,
    list_variables,
    reveal,
    set_variables,
)
from towline.actions.environments import get_environment
from towline.actions.services import get_service
from towline.contract.base import Reference, Slug
from towline.contract.variables import (
    GlobalVariablesSet,
    RevealedVariable,
    VariableDeleteQuery,
    VariableList,
    VariableQuery,
    VariableReveal,
    VariablesSet,
    VariableValue,
)
from towline.models.projects import Environment
from towline.web.deps import Call
from towline.web.operations import OperationRouter
from towline.web.variable_views import list_stale, show_variables

router = OperationRouter()


class _Asked(Protocol):
    """What names a place in query and body."""

    @property
    def service(self) -> Reference | None: ...

    @property
    def previews(self) -> bool: ...

    @property
    def environment(self) -> Slug | None: ...


@router.operation("variables.list")
async def list_(call: Call, query: VariableQuery) -> VariableList:
    """Variables of a project, or of a service with what it inherits; or those of previews."""
    if query.previews:
        return await _show(call, await _place(call, query))
    environment = None
    if query.environment is not None:
        environment = await get_environment(call.work, call.project.id, query.environment)
    service = await get_service(call.session, call.project.id, query.service) if query.service else None
    return await _show(call, Place(call.project, service), environment)


@router.operation("variables.set")
async def set_(call: Call, body: VariablesSet) -> VariableList:
    """Set variables; others stay as they are."""
    place = await _place(call, body)
    await set_variables(call.platform, call.work, place, _wanted(body.variables), caller=call.caller)
    call.note(place.owner_id, names=sorted(item.name for item in body.variables))
    return await _changed(call, place)


@router.operation("variables.delete")
async def delete(call: Call, query: VariableDeleteQuery) -> None:
    """Delete a variable."""
    place = await _place(call, query)
    variable = await delete_variable(call.platform, call.work, place, call.path["name"], caller=call.caller)
    call.note(variable.id, names=[variable.name])


@router.operation("variables.undo")
async def undo(call: Call) -> VariableList:
    """Take a change back."""
    change, place = await undo_change(call.platform, call.work, call.project, call.path["change"], caller=call.caller)
    call.note(place.owner_id, names=[change.name], undoes=change.id)
    return await _changed(call, place)


@router.operation("variables.reveal")
async def reveal_(call: Call, body: VariableReveal) -> RevealedVariable:
    """Show a secret to who may see it."""
    variable = await get_variable(call.work, await _place(call, body), call.path["name"])
    call.note(variable.id, names=[variable.name])
    return RevealedVariable(name=variable.name, value=reveal(call.platform, variable))


@router.operation("globalVariables.list")
async def list_global(call: Call) -> VariableList:
    """Variables of every project."""
    return await _show(call, Place())


@router.operation("globalVariables.set")
async def set_global(call: Call, body: GlobalVariablesSet) -> VariableList:
    """Set variables of every project; others stay as they are."""
    await set_variables(call.platform, call.work, Place(), _wanted(body.variables), caller=call.caller)
    call.note("global", names=sorted(item.name for item in body.variables))
    return await _show(call, Place())


@router.operation("globalVariables.delete")
async def delete_global(call: Call) -> None:
    """Delete a variable of every project."""
    variable = await delete_variable(call.platform, call.work, Place(), call.path["name"], caller=call.caller)
    call.note(variable.id, names=[variable.name])


@router.operation("globalVariables.undo")
async def undo_global(call: Call) -> VariableList:
    """Take a change back."""
    change, place = await undo_change(call.platform, call.work, None, call.path["change"], caller=call.caller)
    call.note("global", names=[change.name], undoes=change.id)
    return await _show(call, place)


def _wanted(values: Sequence[VariableValue]) -> list[WantedVariable]:
    return [
        WantedVariable(
            item.name,
            item.value,
            item.is_secret,
            tuple(kind.value for kind in item.environment_kinds),
            item.mount_path or "",
        )
        for item in values
    ]


async def _place(call: Call, asked: _Asked) -> Place:
    service = None if asked.service is None else await get_service(call.session, call.project.id, asked.service)
    environment = None
    if asked.environment is not None:
        environment = await get_environment(call.work, call.project.id, asked.environment)
    return Place(call.project, service, environment, is_preview=asked.previews or environment is not None)


async def _changed(call: Call, place: Place) -> VariableList:
    """The variables as they are now, with the services that need a deployment to get them."""
    shown = await _show(call, place)
    return shown.model_copy(update={"redeploy": await list_stale(call, service=place.service)})


async def _show(call: Call, place: Place, environment: Environment | None = None) -> VariableList:
    rows = await list_variables(call.work, place, environment=environment)
    return await show_variables(call, rows)
