"""HTTP: variables looked at: effective, compared, their history, and what needs a deployment."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import select

from towline.actions.configuration.comparing import (
    Difference,
    compare_environments,
    compare_releases,
    list_stale_workloads,
)
from towline.actions.configuration.history import PastChange, list_changes
from towline.actions.configuration.resolving import Target, resolve_variables
from towline.actions.configuration.settings import show_value
from towline.actions.environments import get_environment
from towline.actions.services import get_service
from towline.contract.variables import (
    DifferenceQuery,
    EffectiveQuery,
    EffectiveVariable,
    EffectiveVariableList,
    HistoryQuery,
    StaleQuery,
    StaleWorkload,
    StaleWorkloadList,
    Variable,
    VariableChange,
    VariableDifference,
    VariableDifferenceList,
    VariableHistory,
    VariableLevel,
    VariableList,
)
from towline.errors import InvalidInput
from towline.models.projects import Environment, Project
from towline.models.services import Service
from towline.models.services import Variable as VariableRow
from towline.values import EnvironmentKind
from towline.web.cursors import decode_cursor, decode_time, encode_cursor
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("variables.effective")
async def effective(call: Call, query: EffectiveQuery) -> EffectiveVariableList:
    """What instances of the next deployment get."""
    service = await get_service(call.session, call.project.id, query.service)
    environment = await get_environment(call.work, call.project.id, query.environment)
    found = await resolve_variables(call.platform, call.work, Target(call.project, service, environment))
    return EffectiveVariableList(
        items=[
            EffectiveVariable(
                name=variable.name,
                value=None if variable.is_secret else variable.value,
                is_secret=variable.is_secret,
                origin=cast("VariableLevel", variable.origin),
                hides=[cast("VariableLevel", level) for level in variable.hides],
                mount_path=variable.mount_path,
            )
            for _, variable in sorted(found.items())
        ]
    )


@router.operation("variables.stale")
async def stale(call: Call, query: StaleQuery) -> StaleWorkloadList:
    """Services that need a deployment to get their variables."""
    service = None if query.service is None else await get_service(call.session, call.project.id, query.service)
    return StaleWorkloadList(items=await list_stale(call, service=service))


@router.operation("variables.compare")
async def differences(call: Call, query: DifferenceQuery) -> VariableDifferenceList:
    """What differs between two environments, or two releases of one."""
    service = await get_service(call.session, call.project.id, query.service)
    first = await get_environment(call.work, call.project.id, query.environment)
    if query.release is not None and query.to_release is not None and query.to_environment is None:
        found = await compare_releases(
            call.platform, call.work, service, first, first=query.release, second=query.to_release
        )
    elif query.to_environment is not None and query.release is None and query.to_release is None:
        second = await get_environment(call.work, call.project.id, query.to_environment)
        found = await compare_environments(call.platform, call.work, call.project, service, first=first, second=second)
    else:
        raise InvalidInput(
            "It is not clear what to compare.",
            hint="Give `to_environment`, or both `release` and `to_release`.",
            field="to_environment",
        )
    return VariableDifferenceList(items=[_difference(item) for item in found])


@router.operation("variables.history")
async def history(call: Call, query: HistoryQuery) -> VariableHistory:
    """Changes of a project's variables, newest first."""
    service = None if query.service is None else await get_service(call.session, call.project.id, query.service)
    return await _history(call, call.project, query, service)


@router.operation("globalVariables.history")
async def global_history(call: Call, query: HistoryQuery) -> VariableHistory:
    """Changes of the variables of every project, newest first."""
    if query.service is not None:
        raise InvalidInput("Variables of every project are of no service.", field="service")
    return await _history(call, None, query, None)


async def list_stale(call: Call, *, service: Service | None) -> list[StaleWorkload]:
    """Services of the call's project that need a deployment."""
    found = await list_stale_workloads(call.platform, call.work, call.project, service=service)
    return [
        StaleWorkload(
            service=item.service.name, environment=item.environment.name, names=list(item.names), problem=item.problem
        )
        for item in found
    ]


async def show_variables(call: Call, rows: Sequence[VariableRow]) -> VariableList:
    """Variables as they may be shown."""
    ids = {row.environment_id for row in rows if row.environment_id is not None}
    names: dict[str, str] = {}
    if ids:
        found = await call.session.execute(select(Environment.id, Environment.name).where(Environment.id.in_(ids)))
        names = {row.id: row.name for row in found}
    return VariableList(
        items=[
            Variable(
                name=row.name,
                value=show_value(call.platform, row),
                is_secret=row.is_secret,
                level=cast("VariableLevel", row.level),
                environment_kinds=[EnvironmentKind(kind) for kind in row.environment_kinds or ()],
                environment=names.get(row.environment_id or ""),
                mount_path=row.mount_path,
                updated_at=row.updated_at,
            )
            for row in rows
        ]
    )


async def _history(
    call: Call, project: Project | None, query: HistoryQuery, service: Service | None
) -> VariableHistory:
    key = decode_cursor(query.cursor, str, str)
    found = await list_changes(
        call.platform,
        call.work,
        project,
        service=service,
        name=query.name,
        after=None if key is None else (decode_time(key[0]), key[1]),
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    last = shown[-1].change if len(found) > query.limit else None
    return VariableHistory(
        items=[_change(item) for item in shown],
        next_cursor=None if last is None else encode_cursor(last.created_at, last.id),
    )


def _change(past: PastChange) -> VariableChange:
    change = past.change
    return VariableChange(
        id=change.id,
        name=change.name,
        level=cast("VariableLevel", change.level),
        service=past.service,
        environment=past.environment,
        action="deleted" if change.action == "deleted" else "set",
        is_secret=bool(change.was.get("is_secret") or change.now.get("is_secret")),
        before=past.before,
        after=past.after,
        undoes=change.undoes,
        user=past.user_email,
        created_at=change.created_at,
    )


def _difference(item: Difference) -> VariableDifference:
    return VariableDifference(
        name=item.name, kind=item.kind, is_secret=item.is_secret, before=item.before, after=item.after
    )
