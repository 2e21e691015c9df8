"""Variables: levels merged global < project < service < preview, each value with its origin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from towline.actions.platform import Platform
from towline.errors import InvalidInput
from towline.models.services import Variable
from towline.values import EnvironmentKind

LEVELS: Final = ("global", "project", "service", "preview")
"""Merge order of the founding document: a later level hides an earlier one."""


LONGEST_IN_ENVIRONMENT: Final = 131_071
"""Most bytes of `NAME=value`: Linux starts no program with a longer entry (MAX_ARG_STRLEN less the final NUL)."""


@dataclass(frozen=True, slots=True)
class EffectiveVariable:
    """The value an instance gets, the level it comes from, and the levels it hides."""

    name: str
    value: str
    is_secret: bool
    origin: str
    hides: tuple[str, ...] = ()
    mount_path: str = ""


@dataclass(frozen=True, slots=True)
class FrozenVariable:
    """A variable as a release keeps it."""

    value: str
    is_secret: bool
    mount_path: str = ""


def merge(levels: Mapping[str, Sequence[EffectiveVariable]]) -> dict[str, EffectiveVariable]:
    """The effective variables by name, from those of each level."""
    merged: dict[str, EffectiveVariable] = {}
    for level in LEVELS:
        for variable in levels.get(level, ()):
            hidden = merged.get(variable.name)
            hides = () if hidden is None else (*hidden.hides, hidden.origin)
            merged[variable.name] = replace(variable, origin=level, hides=hides)
    return merged


def variable_context(variable: Variable) -> str:
    """What a variable's sealed value is bound to: moved to another place it does not open."""
    return f"variable:{variable.id}"


def check_size(name: str, value: str) -> None:
    """Return when an environment can hold the variable; InvalidInput with what to do otherwise."""
    size = len(name.encode()) + 1 + len(value.encode())
    if size > LONGEST_IN_ENVIRONMENT:
        raise InvalidInput(
            f"{name} is {size} bytes long; Linux takes {LONGEST_IN_ENVIRONMENT} of one variable.",
            hint="Give it a `mount_path` to have it as a file.",
            field="variables",
        )


def release_context(release_id: str) -> str:
    """What a release's sealed variables are bound to."""
    return f"release:{release_id}"


def seal_variables(platform: Platform, variables: Mapping[str, EffectiveVariable], *, release_id: str) -> bytes:
    """A release's frozen variables, sealed as one value."""
    frozen = {name: [variable.value, variable.is_secret, variable.mount_path] for name, variable in variables.items()}
    return platform.secrets.seal(orjson.dumps(frozen), context=release_context(release_id))


def open_frozen(platform: Platform, sealed: bytes, *, release_id: str) -> dict[str, FrozenVariable]:
    """A release's variables by name."""
    frozen: dict[str, list[Any]] = orjson.loads(platform.secrets.open(sealed, context=release_context(release_id)))
    return {name: FrozenVariable(*parts) for name, parts in frozen.items()}


def open_variables(platform: Platform, sealed: bytes, *, release_id: str) -> tuple[dict[str, str], list[str]]:
    """The variables of a release's environment, and the values among all of them that are secret."""
    frozen = open_frozen(platform, sealed, release_id=release_id)
    secrets = [variable.value for variable in frozen.values() if variable.is_secret]
    return {name: variable.value for name, variable in frozen.items() if not variable.mount_path}, secrets


def applies(variable: Variable, kind: EnvironmentKind, *, is_fork: bool = False) -> bool:
    """Whether instances in environments of a kind get a variable.

    Limits to kinds count; upper-level secrets reach previews only when the variable names that kind. What is built from
    a stranger's fork gets variables of previews alone: of that level, and plain ones that name that kind.
    """
    if is_fork and variable.level != "preview":
        return not variable.is_secret and kind in (variable.environment_kinds or ())
    if variable.environment_kinds is not None:
        return kind in variable.environment_kinds
    return kind is not EnvironmentKind.PREVIEW or variable.level == "preview" or not variable.is_secret
