"""Variables: names and values given to instances."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from towline.contract.base import LongText, Model, Page, Reference, Slug, VariableName
from towline.values import EnvironmentKind

VariableLevel = Literal["global", "project", "service", "preview"]


class VariableQuery(Model):
    """Whose variables are meant: the project's own, or a service's with what it inherits."""

    service: Reference | None = Field(default=None, description="Service (id or name); without it, the project's own.")
    environment: Slug | None = Field(
        default=None, description="Only what instances of this environment get; without it, every variable."
    )


class VariableValue(Model):
    """One variable to set."""

    name: VariableName = Field(description="Name.", examples=["DATABASE_URL"])
    value: LongText = Field(description="Value, kept exactly; at most 65,536 characters, no NUL.", repr=False)
    is_secret: bool = Field(
        default=False, strict=True, description="Whether it is masked everywhere and never read back."
    )
    environment_kinds: Annotated[list[EnvironmentKind], Field(max_length=3)] = Field(
        default=[],
        description="Kinds of environments it is for; empty means all for a plain one, all but previews for a secret.",
    )


class VariablesSet(Model):
    """Variables to set in one step; others stay as they are. Instances get them with the next deployment."""

    service: Reference | None = Field(default=None, description="Service (id or name); null sets them for the project.")
    variables: Annotated[list[VariableValue], Field(min_length=1, max_length=200)] = Field(
        description="The variables, at most 200."
    )


class VariableDeleteQuery(Model):
    """Whose variable is meant."""

    service: Reference | None = Field(default=None, description="Service (id or name); without it, the project's own.")


class Variable(Model):
    """A variable as it may be shown."""

    name: str = Field(description="Name.", examples=["DATABASE_URL"])
    value: str | None = Field(description="Value; null for a secret.")
    is_secret: bool = Field(description="Whether it is a secret.")
    level: VariableLevel = Field(description="Where it comes from.")
    environment_kinds: list[EnvironmentKind] = Field(
        default=[], description="Kinds of environments it is for; empty: all."
    )
    updated_at: datetime = Field(description="When it last changed.")


class VariableList(Page[Variable]):
    """Variables by name, all on one page; the next deployment brings changes to running instances."""
