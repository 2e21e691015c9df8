"""Variables: levels merged global < project < service < preview, each value with its origin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from sqlalchemy import and_, or_, select

from towline.actions.platform import Platform
from towline.infra.database import Work
from towline.models.services import Variable
from towline.values import EnvironmentKind

LEVELS: Final = ("global", "project", "service", "preview")
"""Merge order of the founding document: a later level hides an earlier one."""


@dataclass(frozen=True, slots=True)
class EffectiveVariable:
    """The value an instance gets, the level it comes from, and the levels it hides."""

    name: str
    value: str
    is_secret: bool
    origin: str
    hides: tuple[str, ...] = ()


def merge(levels: Mapping[str, Sequence[EffectiveVariable]]) -> dict[str, EffectiveVariable]:
    """The effective variables by name, from those of each level."""
    merged: dict[str, EffectiveVariable] = {}
    for level in LEVELS:
        for variable in levels.get(level, ()):
            hidden = merged.get(variable.name)
            hides = () if hidden is None else (*hidden.hides, hidden.origin)
            merged[variable.name] = EffectiveVariable(
                variable.name, variable.value, variable.is_secret, origin=level, hides=hides
            )
    return merged


def variable_context(variable: Variable) -> str:
    """What a variable's sealed value is bound to: moved to another place it does not open."""
    return f"variable:{variable.id}"


async def get_effective(
    platform: Platform,
    work: Work,
    *,
    project_id: str,
    service_id: str,
    environment_id: str,
    kind: EnvironmentKind,
) -> dict[str, EffectiveVariable]:
    """What instances of a service get in an environment of this kind."""
    statement = select(Variable).where(
        or_(
            Variable.level == "global",
            and_(Variable.level == "project", Variable.project_id == project_id),
            and_(Variable.level == "service", Variable.service_id == service_id),
            and_(Variable.level == "preview", Variable.environment_id == environment_id),
        )
    )
    levels: dict[str, list[EffectiveVariable]] = {level: [] for level in LEVELS}
    for variable in await work.session.scalars(statement):
        if applies(variable, kind):
            value = platform.secrets.open_text(variable.value, context=variable_context(variable))
            levels[variable.level].append(
                EffectiveVariable(variable.name, value, variable.is_secret, origin=variable.level)
            )
    return merge(levels)


def seal_variables(platform: Platform, variables: Mapping[str, EffectiveVariable], *, release_id: str) -> bytes:
    """A release's frozen variables, sealed as one value."""
    frozen = {name: [variable.value, variable.is_secret] for name, variable in variables.items()}
    return platform.secrets.seal(orjson.dumps(frozen), context=f"release:{release_id}")


def open_variables(platform: Platform, sealed: bytes, *, release_id: str) -> tuple[dict[str, str], list[str]]:
    """A release's variables, and the values among them that are secret."""
    frozen: dict[str, tuple[str, bool]] = orjson.loads(platform.secrets.open(sealed, context=f"release:{release_id}"))
    secrets = [value for value, is_secret in frozen.values() if is_secret]
    return {name: value for name, (value, _) in frozen.items()}, secrets


def applies(variable: Variable, kind: EnvironmentKind) -> bool:
    """Whether instances in environments of a kind get a variable.

    Limits to kinds count; upper-level secrets reach previews only when the variable names that kind.
    """
    if variable.environment_kinds is not None:
        return kind in variable.environment_kinds
    return kind is not EnvironmentKind.PREVIEW or variable.level == "preview" or not variable.is_secret
