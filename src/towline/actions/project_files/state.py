"""A project as plain values, the same from a file and from rows, so that both can be compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

UPLOAD: Final = "upload"
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VariableState:
    """A variable; the value of a secret is not known, but may be generated where there is none."""

    value: str | None
    is_secret: bool
    kinds: tuple[str, ...] = ()
    mount_path: str = ""
    generates: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class DomainState:
    """What a domain does; where it leads is its key."""

    strip_path: bool
    certificate: str
    redirect_to_https: bool


DomainKey = tuple[str, str, str]
"""Environment, host, path."""

Variables = Mapping[str, VariableState]


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service: settings by the names of contract.services, needs with whether they cascade."""

    settings: Settings
    needs: Mapping[str, bool] = field(default_factory=dict[str, bool])
    variables: Variables = field(default_factory=dict[str, VariableState])
    domains: Mapping[DomainKey, DomainState] = field(default_factory=dict[DomainKey, DomainState])


@dataclass(frozen=True, slots=True)
class ProjectState:
    """A project. `is_there` tells an empty one from none; a file without rules for previews leaves them as they are."""

    name: str
    settings: Settings
    variables: Variables = field(default_factory=dict[str, VariableState])
    preview_variables: Variables = field(default_factory=dict[str, VariableState])
    services: Mapping[str, ServiceState] = field(default_factory=dict[str, ServiceState])
    preview_rules: Settings | None = None
    is_there: bool = True
