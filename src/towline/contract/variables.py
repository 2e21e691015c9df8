"""Variables: names and values given to instances."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from towline.contract.base import (
    AbsolutePath,
    Model,
    Page,
    PageQuery,
    Reference,
    ReleaseNumber,
    Slug,
    VariableName,
    VariableText,
)
from towline.values import EnvironmentKind

VariableLevel = Literal["global", "project", "service", "preview"]


class VariableQuery(Model):
    """Whose variables are meant: the project's own, or a service's with what it inherits."""

    service: Reference | None = Field(default=None, description="Service (id or name); without it, the project's own.")
    environment: Slug | None = Field(
        default=None, description="Only what instances of this environment get; without it, every variable."
    )
    previews: bool = Field(default=False, description="Those of previews: of all, or of `environment` alone.")


class VariableValue(Model):
    """One variable to set."""

    name: VariableName = Field(description="Name.", examples=["DATABASE_URL"])
    value: VariableText = Field(
        description="Value, kept exactly but for references such as `${{ services.db.host }}`, which a deployment "
        "replaces (`$${{` stands for the characters); at most 262,144 characters, no NUL.",
        repr=False,
    )
    is_secret: bool = Field(
        default=False, strict=True, description="Whether it is masked everywhere and never read back."
    )
    environment_kinds: Annotated[list[EnvironmentKind], Field(max_length=3)] = Field(
        default=[],
        description="Kinds of environments it is for; empty means all for a plain one, all but previews for a secret.",
    )
    mount_path: AbsolutePath | None = Field(
        default=None, description="Path of a file inside the instance that holds the value, in place of the variable."
    )


class VariablesSet(Model):
    """Variables to set in one step; others stay as they are. Instances get them with the next deployment."""

    service: Reference | None = Field(default=None, description="Service (id or name); null sets them for the project.")
    previews: bool = Field(default=False, strict=True, description="Set them for previews of the project only.")
    environment: Slug | None = Field(default=None, description="With `previews`: for this preview only.")
    variables: Annotated[list[VariableValue], Field(min_length=1, max_length=200)] = Field(
        description="The variables, at most 200."
    )


class VariableDeleteQuery(Model):
    """Whose variable is meant."""

    service: Reference | None = Field(default=None, description="Service (id or name); without it, the project's own.")
    previews: bool = Field(default=False, description="Of previews: of all, or of `environment` alone.")
    environment: Slug | None = Field(default=None, description="With `previews`: of this preview only.")


class VariableReveal(Model):
    """Whose variable is meant."""

    service: Reference | None = Field(default=None, description="Service (id or name); null: the project's own.")
    previews: bool = Field(default=False, strict=True, description="Of previews: of all, or of `environment` alone.")
    environment: Slug | None = Field(default=None, description="With `previews`: of this preview only.")


class RevealedVariable(Model):
    """A variable with its value, also of a secret."""

    name: str = Field(description="Name.")
    value: str = Field(description="Value, as it was set.", repr=False)


class GlobalVariablesSet(Model):
    """Variables of every project, to set in one step; others stay as they are."""

    variables: Annotated[list[VariableValue], Field(min_length=1, max_length=200)] = Field(
        description="The variables, at most 200."
    )


class StaleWorkload(Model):
    """A service that runs with other variables than a deployment would give it now."""

    service: str = Field(description="Name of the service.")
    environment: str = Field(description="Name of the environment.")
    names: list[str] = Field(description="Variables that differ.")
    problem: str = Field(default="", description="Why a deployment could not resolve its variables; empty: it could.")


class StaleWorkloadList(Page[StaleWorkload]):
    """Services that need a deployment to get their variables, all on one page."""


class StaleQuery(Model):
    """Which services are looked at."""

    service: Reference | None = Field(default=None, description="Only this one (id or name).")


class Variable(Model):
    """A variable as it may be shown."""

    name: str = Field(description="Name.", examples=["DATABASE_URL"])
    value: str | None = Field(description="Value; null for a secret.")
    is_secret: bool = Field(description="Whether it is a secret.")
    level: VariableLevel = Field(description="Where it comes from.")
    environment_kinds: list[EnvironmentKind] = Field(
        default=[], description="Kinds of environments it is for; empty: all."
    )
    environment: str | None = Field(default=None, description="The preview it is for; null: not of one preview.")
    mount_path: str = Field(default="", description="Path of the file that holds it; empty: it is in the environment.")
    updated_at: datetime = Field(description="When it last changed.")


class VariableList(Page[Variable]):
    """Variables by name, all on one page; the next deployment brings changes to running instances."""

    redeploy: list[StaleWorkload] = Field(
        default=[], description="After a change: services that need a deployment to get it."
    )


class EffectiveQuery(Model):
    """For which service, and where."""

    service: Reference = Field(description="Service (id or name).")
    environment: Slug = Field(default="production", description="Name of the environment.")


class EffectiveVariable(Model):
    """What instances get under a name, and why."""

    name: str = Field(description="Name.")
    value: str | None = Field(description="Value with its references replaced; null for a secret.")
    is_secret: bool = Field(description="Whether it is a secret, or refers to one.")
    origin: VariableLevel = Field(description="The level it comes from.")
    hides: list[VariableLevel] = Field(description="Levels that have the name too and are hidden by it.")
    mount_path: str = Field(description="Path of the file that holds it; empty: it is in the environment.")


class EffectiveVariableList(Page[EffectiveVariable]):
    """What instances of the next deployment get, by name, all on one page."""


class HistoryQuery(PageQuery):
    """Which changes are wanted."""

    service: Reference | None = Field(default=None, description="Only those of this service (id or name).")
    name: VariableName | None = Field(default=None, description="Only those of this variable.")


class VariableChange(Model):
    """One change of one variable."""

    id: str = Field(description="Id, to undo it.")
    name: str = Field(description="Name of the variable.")
    level: VariableLevel = Field(description="Where it belongs.")
    service: str = Field(description="Name of its service; empty: it is of none.")
    environment: str = Field(description="Name of its preview; empty: it is of none.")
    action: Literal["set", "deleted"] = Field(description="What was done.")
    is_secret: bool = Field(description="Whether it is or was a secret.")
    before: str | None = Field(description="Value before; null where there was none, or a secret.")
    after: str | None = Field(description="Value afterwards; null where there is none, or a secret.")
    undoes: str | None = Field(description="The change that this one took back.")
    user: str = Field(description="E-mail address of who did it.")
    created_at: datetime = Field(description="When.")


class VariableHistory(Page[VariableChange]):
    """Changes, newest first."""


class DifferenceQuery(Model):
    """What is compared: two environments, or two releases of one environment."""

    service: Reference = Field(description="Service (id or name).")
    environment: Slug = Field(default="production", description="The first environment, or that of the releases.")
    to_environment: Slug | None = Field(default=None, description="The second environment.")
    release: ReleaseNumber | None = Field(default=None, description="Number of the first release.")
    to_release: ReleaseNumber | None = Field(default=None, description="Number of the second release.")


class VariableDifference(Model):
    """A variable that differs."""

    name: str = Field(description="Name.")
    kind: Literal["added", "removed", "changed"] = Field(description="How the second differs from the first.")
    is_secret: bool = Field(description="Whether it is a secret on either side.")
    before: str | None = Field(description="Value of the first; null where there is none, or a secret.")
    after: str | None = Field(description="Value of the second; null where there is none, or a secret.")


class VariableDifferenceList(Page[VariableDifference]):
    """Variables that differ, by name, all on one page."""
