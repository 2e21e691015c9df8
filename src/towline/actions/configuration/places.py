"""Where variables belong: to everything, a project, a service, all previews of a project, or one of them."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import InstrumentedAttribute

from towline.errors import InvalidInput
from towline.models.projects import Environment, Project
from towline.models.services import Service, Variable
from towline.values import EnvironmentKind

GLOBAL: Final = "global"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose variables are meant: of everything when nothing is given.

    `is_preview` without an environment means all previews of the project, with one that preview.
    """

    project: Project | None = None
    service: Service | None = None
    environment: Environment | None = None
    is_preview: bool = False

    def __post_init__(self) -> None:
        if self.service is not None and self.is_preview:
            raise InvalidInput("Variables of previews are of the project; leave the service out.", field="service")
        if self.environment is not None and self.environment.kind != EnvironmentKind.PREVIEW.value:
            raise InvalidInput(
                f"{self.environment.name!r} is no preview; only previews have variables of their own.",
                hint="Set it for the project or service, limited with `environment_kinds`.",
                field="environment",
            )

    @property
    def level(self) -> str:
        """The level of variables of this place."""
        if self.project is None:
            return GLOBAL
        if self.is_preview:
            return "preview"
        return "project" if self.service is None else "service"

    @property
    def condition(self) -> ColumnElement[bool]:
        """The condition of the rows that belong to this place itself."""
        return and_(
            Variable.level == self.level,
            *(_same(column, self.columns[name]) for name, column in _OWNERS.items()),
        )

    @property
    def columns(self) -> dict[str, str | None]:
        """The owner columns of this place's rows."""
        level = self.level
        is_of_project = level == "project" or (level == "preview" and self.environment is None)
        return {
            "project_id": self.project.id if self.project is not None and is_of_project else None,
            "service_id": self.service.id if self.service is not None else None,
            "environment_id": self.environment.id if self.environment is not None else None,
        }

    @property
    def owner_id(self) -> str:
        """The id of what owns the variables, `global` for everything."""
        return next((id_ for id_ in reversed(self.columns.values()) if id_), GLOBAL)


_OWNERS: Final = {
    "project_id": Variable.project_id,
    "service_id": Variable.service_id,
    "environment_id": Variable.environment_id,
}


def _same(column: InstrumentedAttribute[str | None], value: str | None) -> ColumnElement[bool]:
    return column.is_(None) if value is None else column == value
