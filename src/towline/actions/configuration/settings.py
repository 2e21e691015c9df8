"""Setting, deleting and showing variables: values sealed at rest, secrets never shown again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select

from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.variables import LEVELS, applies, variable_context
from towline.errors import InvalidInput, NotFound
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.projects import Environment, Project
from towline.models.services import Service, Variable
from towline.names import new_id
from towline.values import EnvironmentKind

MOST_VARIABLES: Final = 500
"""How many variables a project or service may have of its own."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose variables are meant: a project's own, or a service's."""

    project: Project
    service: Service | None = None

    @property
    def level(self) -> str:
        """The level of variables of this place."""
        return "project" if self.service is None else "service"

    @property
    def condition(self) -> ColumnElement[bool]:
        """The condition of the rows that belong to this place itself."""
        if self.service is None:
            return and_(Variable.level == "project", Variable.project_id == self.project.id)
        return and_(Variable.level == "service", Variable.service_id == self.service.id)


@dataclass(frozen=True, slots=True)
class WantedVariable:
    """One variable to set; no kinds means the default of its level."""

    name: str
    value: str
    is_secret: bool
    environment_kinds: tuple[str, ...] = ()


async def set_variables(platform: Platform, work: Work, place: Place, wanted: Sequence[WantedVariable]) -> None:
    """Set variables in one step; others of the place stay as they are."""
    names = [variable.name for variable in wanted]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(f"The variable {twice} is there twice.", field="variables")
    owner = place.project.id if place.service is None else place.service.id
    await work.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(owner, 13))))
    rows = {row.name: row for row in await work.session.scalars(select(Variable).where(place.condition))}
    if len(rows.keys() | set(names)) > MOST_VARIABLES:
        raise InvalidInput(f"More than {MOST_VARIABLES} variables cannot be set here.", field="variables")
    for variable in wanted:
        row = rows.get(variable.name) or _new_row(work, place, variable.name)
        row.value = platform.secrets.seal(variable.value, context=variable_context(row))
        row.is_secret = variable.is_secret
        row.environment_kinds = list(variable.environment_kinds) or None
        row.updated_at = utc_now()
    await work.session.flush()
    _tell(platform, work, place, names)


async def delete_variable(platform: Platform, work: Work, place: Place, name: str) -> Variable:
    """Delete a variable of the place itself; NotFound when it has none by that name."""
    row = (await work.session.scalars(select(Variable).where(place.condition, Variable.name == name))).one_or_none()
    if row is None:
        raise NotFound(f"There is no variable {name!r} of this {place.level}.")
    await work.session.delete(row)
    _tell(platform, work, place, [name])
    return row


async def list_variables(work: Work, place: Place, *, environment: Environment | None) -> Sequence[Variable]:
    """Variables by name: a project's own, or a service's with what it inherits, an inherited one before its own.

    With an environment only what instances there get: those for its kind, a hidden one left out.
    """
    condition = place.condition if place.service is None else or_(place.condition, *_inherited(place, environment))
    rows = list(await work.session.scalars(select(Variable).where(condition)))
    rows.sort(key=lambda row: (row.name, LEVELS.index(row.level)))
    if environment is None:
        return rows
    kind = EnvironmentKind(environment.kind)
    return list({row.name: row for row in rows if applies(row, kind)}.values())


def show_value(platform: Platform, variable: Variable) -> str | None:
    """The value of a variable as it may be shown: none of a secret."""
    if variable.is_secret:
        return None
    return platform.secrets.open_text(variable.value, context=variable_context(variable))


def _inherited(place: Place, environment: Environment | None) -> list[ColumnElement[bool]]:
    upper = [Variable.level == "global", Place(place.project).condition]
    if environment is not None:
        upper.append(and_(Variable.level == "preview", Variable.environment_id == environment.id))
    return upper


def _new_row(work: Work, place: Place, name: str) -> Variable:
    row = Variable(
        id=new_id("var"),
        created_at=utc_now(),
        level=place.level,
        project_id=place.project.id if place.service is None else None,
        service_id=place.service.id if place.service is not None else None,
        name=name,
        value=b"",
    )
    work.session.add(row)
    return row


def _tell(platform: Platform, work: Work, place: Place, names: Sequence[str]) -> None:
    emit(
        platform,
        work,
        "variable.changed",
        project_id=place.project.id,
        service_id=place.service.id if place.service is not None else "",
        data={"message": ", ".join(sorted(names)[:20])},
    )
