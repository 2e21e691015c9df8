"""What happened to variables, and taking it back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, tuple_

from towline.actions.access import Caller
from towline.actions.configuration.places import GLOBAL, Place
from towline.actions.configuration.settings import WantedVariable, remove_variable, tell, write_variable
from towline.actions.platform import Platform
from towline.errors import Conflict, NotFound
from towline.infra.database import Work
from towline.models.accounts import User
from towline.models.projects import Environment, Project
from towline.models.services import Service, Variable
from towline.models.variable_changes import VariableChange


@dataclass(frozen=True, slots=True)
class PastChange:
    """A change with the names of what it belongs to, and the values that may be shown."""

    change: VariableChange
    user_email: str
    service: str
    environment: str
    before: str | None
    after: str | None


async def list_changes(
    platform: Platform,
    work: Work,
    project: Project | None,
    *,
    service: Service | None = None,
    name: str | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int,
) -> Sequence[PastChange]:
    """Changes of a project's variables (None: of the global ones), newest first."""
    query = (
        select(VariableChange, User.email, Service.name, Environment.name)
        .join(User, User.id == VariableChange.user_id, isouter=True)
        .join(Service, Service.id == VariableChange.service_id, isouter=True)
        .join(Environment, Environment.id == VariableChange.environment_id, isouter=True)
        .where(_of(project))
        .order_by(VariableChange.created_at.desc(), VariableChange.id.desc())
        .limit(limit)
    )
    if service is not None:
        query = query.where(VariableChange.service_id == service.id)
    if name is not None:
        query = query.where(VariableChange.name == name)
    if after is not None:
        query = query.where(tuple_(VariableChange.created_at, VariableChange.id) < after)
    return [
        PastChange(
            change,
            email or "",
            service_name or "",
            environment_name or "",
            before=_shown(platform, change, change.value_before, change.was),
            after=_shown(platform, change, change.value_after, change.now),
        )
        for change, email, service_name, environment_name in await work.session.execute(query)
    ]


async def undo_change(
    platform: Platform, work: Work, project: Project | None, change_id: str, *, caller: Caller
) -> tuple[VariableChange, Place]:
    """Bring a variable back to what it was before a change; NotFound, or Conflict when it changed since.

    Undoing is a change itself, so it can be undone.
    """
    query = select(VariableChange).where(VariableChange.id == change_id, _of(project)).with_for_update()
    change = (await work.session.scalars(query)).one_or_none()
    if change is None:
        raise NotFound(f"There is no change {change_id!r} of these variables.")
    place = await _place_of(work, project, change)
    query_row = select(Variable).where(place.condition, Variable.name == change.name).with_for_update()
    row = (await work.session.scalars(query_row)).one_or_none()
    _check_unchanged(platform, change, row)
    if change.value_before is None:
        assert row is not None
        await remove_variable(work, place, row, caller=caller, undoes=change.id)
    else:
        wanted = _wanted_before(platform, change)
        write_variable(platform, work, place, row, wanted, caller=caller, undoes=change.id)
    await work.session.flush()
    tell(platform, work, place, [change.name])
    return change, place


def _of(project: Project | None) -> ColumnElement[bool]:
    return VariableChange.level == GLOBAL if project is None else VariableChange.project_id == project.id


def _shown(platform: Platform, change: VariableChange, sealed: bytes | None, facts: Mapping[str, object]) -> str | None:
    if sealed is None or facts.get("is_secret", True):
        return None
    return platform.secrets.open_text(sealed, context=f"variable:{change.variable_id}")


def _wanted_before(platform: Platform, change: VariableChange) -> WantedVariable:
    assert change.value_before is not None
    value = platform.secrets.open_text(change.value_before, context=f"variable:{change.variable_id}")
    kinds = tuple(change.was.get("environment_kinds", ()))
    return WantedVariable(change.name, value, change.was["is_secret"], kinds, change.was.get("mount_path", ""))


def _check_unchanged(platform: Platform, change: VariableChange, row: Variable | None) -> None:
    """A later change must be undone first; otherwise it would be lost without anybody seeing it."""
    now = None if row is None else platform.secrets.open_text(row.value, context=f"variable:{row.id}")
    sealed, context = change.value_after, f"variable:{change.variable_id}"
    then = None if sealed is None else platform.secrets.open_text(sealed, context=context)
    if now != then:
        raise Conflict(
            f"{change.name} was changed again since.", hint="Undo the newest change first, or set it to what you want."
        )


async def _place_of(work: Work, project: Project | None, change: VariableChange) -> Place:
    service = await work.session.get(Service, change.service_id) if change.service_id else None
    environment = await work.session.get(Environment, change.environment_id) if change.environment_id else None
    return Place(project, service, environment, is_preview=change.level == "preview")
