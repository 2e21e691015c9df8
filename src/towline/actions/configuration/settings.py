"""Setting, deleting, listing and revealing variables: values sealed at rest, every change remembered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_, select

from towline.actions.access import Caller
from towline.actions.configuration.places import GLOBAL, Place
from towline.actions.configuration.references import find_references
from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.sharing import is_of_fork
from towline.actions.variables import LEVELS, applies, check_size, variable_context
from towline.errors import InvalidInput, NotFound
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.projects import Environment
from towline.models.services import Variable
from towline.models.variable_changes import VariableChange
from towline.names import new_id
from towline.values import EnvironmentKind

MOST_VARIABLES: Final = 500
MOST_BYTES: Final = 4 * 1024 * 1024
"""How many variables a place may have of its own, and how many bytes all of them."""


@dataclass(frozen=True, slots=True)
class WantedVariable:
    """One variable to set; no kinds means the default of its level, no mount path the environment."""

    name: str
    value: str
    is_secret: bool
    environment_kinds: tuple[str, ...] = ()
    mount_path: str = ""


async def set_variables(
    platform: Platform, work: Work, place: Place, wanted: Sequence[WantedVariable], *, caller: Caller
) -> None:
    """Set variables in one step; others of the place stay as they are. What is set to what it was is no change."""
    _check(wanted)
    rows = await _lock_rows(work, place)
    _check_room(rows, wanted)
    changed = [variable for variable in wanted if not _is_same(platform, rows.get(variable.name), variable)]
    for variable in changed:
        write_variable(platform, work, place, rows.get(variable.name), variable, caller=caller)
    await work.session.flush()
    tell(platform, work, place, [variable.name for variable in changed])


async def delete_variable(platform: Platform, work: Work, place: Place, name: str, *, caller: Caller) -> Variable:
    """Delete a variable of the place itself; NotFound when it has none by that name."""
    row = (await _lock_rows(work, place)).get(name)
    if row is None:
        raise NotFound(f"There is no variable {name!r} of this {place.level}.")
    await remove_variable(work, place, row, caller=caller)
    tell(platform, work, place, [name])
    return row


def write_variable(
    platform: Platform,
    work: Work,
    place: Place,
    row: Variable | None,
    wanted: WantedVariable,
    *,
    caller: Caller,
    undoes: str | None = None,
) -> None:
    """Write one variable and the memory of what it was."""
    was, value_before = _facts(row), None if row is None else row.value
    row = row if row is not None else _new_row(work, place, wanted.name)
    row.value = platform.secrets.seal(wanted.value, context=variable_context(row))
    row.is_secret = wanted.is_secret
    row.environment_kinds = list(wanted.environment_kinds) or None
    row.mount_path = wanted.mount_path
    row.updated_at = utc_now()
    work.session.add(
        _change(
            place, row, caller, "set", was=was, now=_facts(row), before=value_before, after=row.value, undoes=undoes
        )
    )


async def remove_variable(
    work: Work, place: Place, row: Variable, *, caller: Caller, undoes: str | None = None
) -> None:
    """Delete one row and remember it."""
    work.session.add(
        _change(place, row, caller, "deleted", was=_facts(row), now={}, before=row.value, after=None, undoes=undoes)
    )
    await work.session.delete(row)


async def list_variables(work: Work, place: Place, *, environment: Environment | None) -> Sequence[Variable]:
    """Variables by name: a place's own, for a service with what it inherits, an inherited one before its own.

    With an environment only what instances there get: those for its kind, a hidden one left out.
    """
    condition = place.condition if place.service is None else or_(place.condition, *_inherited(place, environment))
    rows = list(await work.session.scalars(select(Variable).where(condition)))
    rows.sort(key=lambda row: (row.name, LEVELS.index(row.level), row.environment_id is not None))
    if environment is None:
        return rows
    kind, is_fork = EnvironmentKind(environment.kind), await is_of_fork(work, environment)
    return list({row.name: row for row in rows if applies(row, kind, is_fork=is_fork)}.values())


async def get_variable(work: Work, place: Place, name: str) -> Variable:
    """One variable of the place itself; NotFound when it has none by that name."""
    row = (await work.session.scalars(select(Variable).where(place.condition, Variable.name == name))).one_or_none()
    if row is None:
        raise NotFound(f"There is no variable {name!r} of this {place.level}.")
    return row


def reveal(platform: Platform, variable: Variable) -> str:
    """The value, also of a secret; whoever calls this has checked that it may be seen, and notes it."""
    return platform.secrets.open_text(variable.value, context=variable_context(variable))


def show_value(platform: Platform, variable: Variable) -> str | None:
    """The value of a variable as it may be shown: none of a secret."""
    return None if variable.is_secret else reveal(platform, variable)


def tell(platform: Platform, work: Work, place: Place, names: Iterable[str]) -> None:
    """Tell those who watch the project which variables changed; never a value."""
    if place.project is not None and names:
        service_id = place.service.id if place.service is not None else ""
        message = {"message": ", ".join(sorted(names)[:20])}
        emit(platform, work, "variable.changed", project_id=place.project.id, service_id=service_id, data=message)


def _check(wanted: Sequence[WantedVariable]) -> None:
    names = [variable.name for variable in wanted]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"The variable {twice} is there twice.", field="variables")
    for variable in wanted:
        find_references(variable.value, place=variable.name)
        if not variable.mount_path:
            check_size(variable.name, variable.value)


def _check_room(rows: Mapping[str, Variable], wanted: Sequence[WantedVariable]) -> None:
    """A place holds so many variables and bytes: they are all read for each deployment and each list."""
    sizes = {name: len(row.value) for name, row in rows.items()}
    sizes |= {variable.name: len(variable.value.encode(errors="surrogatepass")) for variable in wanted}
    if len(sizes) > MOST_VARIABLES:
        raise InvalidInput(f"More than {MOST_VARIABLES} variables cannot be set here.", field="variables")
    if sum(sizes.values()) > MOST_BYTES:
        raise InvalidInput(
            f"All variables here would have {sum(sizes.values())} bytes; at most {MOST_BYTES} are allowed.",
            hint="Keep what is larger in the image or on a volume.",
            field="variables",
        )


async def _lock_rows(work: Work, place: Place) -> dict[str, Variable]:
    await work.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(place.owner_id, 13))))
    return {row.name: row for row in await work.session.scalars(select(Variable).where(place.condition))}


def _is_same(platform: Platform, row: Variable | None, wanted: WantedVariable) -> bool:
    if row is None:
        return False
    facts = {
        "is_secret": wanted.is_secret,
        "environment_kinds": list(wanted.environment_kinds),
        "mount_path": wanted.mount_path,
    }
    return _facts(row) == facts and reveal(platform, row) == wanted.value


def _facts(row: Variable | None) -> dict[str, Any]:
    if row is None:
        return {}
    kinds = list(row.environment_kinds or ())
    return {"is_secret": row.is_secret, "environment_kinds": kinds, "mount_path": row.mount_path}


def _change(
    place: Place,
    row: Variable,
    caller: Caller,
    action: str,
    *,
    was: dict[str, Any],
    now: dict[str, Any],
    before: bytes | None,
    after: bytes | None,
    undoes: str | None,
) -> VariableChange:
    return VariableChange(
        id=new_id("vch"),
        created_at=utc_now(),
        variable_id=row.id,
        level=row.level,
        project_id=place.project.id if place.project is not None else None,
        service_id=row.service_id,
        environment_id=row.environment_id,
        name=row.name,
        action=action,
        value_before=before,
        value_after=after,
        was=was,
        now=now,
        user_id=caller.user_id,
        undoes=undoes,
    )


def _inherited(place: Place, environment: Environment | None) -> list[ColumnElement[bool]]:
    upper = [Variable.level == GLOBAL, Place(place.project).condition]
    if environment is not None and environment.kind == EnvironmentKind.PREVIEW.value:
        is_of_project = Variable.project_id == (place.project.id if place.project is not None else None)
        mine = or_(Variable.environment_id == environment.id, is_of_project)
        upper.append(and_(Variable.level == "preview", mine))
    return upper


def _new_row(work: Work, place: Place, name: str) -> Variable:
    row = Variable(id=new_id("var"), created_at=utc_now(), level=place.level, name=name, value=b"", **place.columns)
    work.session.add(row)
    return row
