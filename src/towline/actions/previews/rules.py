"""The rules for a project's previews, and which services a preview has of its own; no rows, no clock."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any, Final, cast

from towline.actions.graph.order import Graph
from towline.errors import InvalidInput
from towline.models.projects import Project
from towline.names import SLUG_PATTERN
from towline.values import ServiceType

LIFETIME: Final = 7 * 86_400
_LONGEST_NAME: Final = 40


@dataclass(frozen=True, slots=True)
class Rules:
    """What previews of a project are like; see contract.previews.PreviewRules."""

    pull_requests: bool = False
    label: str | None = None
    forks: bool = True
    branches: tuple[str, ...] = ()
    base: str = "production"
    main: str | None = None
    scope: str = "project"
    shared: tuple[str, ...] = ()
    lifetime_seconds: int | None = LIFETIME
    cap: int = 20
    sleeps_after_seconds: int | None = None
    protection: str = "none"

    def wants_branch(self, branch: str) -> bool:
        """Whether a push to the branch makes a preview."""
        return any(fnmatchcase(branch, pattern) for pattern in self.branches)

    def wants_request(self, labels: Collection[str], *, is_fork: bool) -> bool:
        """Whether a pull or merge request gets a preview."""
        is_labelled = self.label is None or self.label in labels
        return self.pull_requests and is_labelled and (self.forks or not is_fork)


@dataclass(frozen=True, slots=True)
class Member:
    """A service of the project, as far as it decides what a preview has."""

    id: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Ids: the service that the preview's host leads to, those of its own, and those it uses of its base."""

    main: str | None
    own: tuple[str, ...]
    shared: tuple[str, ...]


def rules_of(project: Project) -> Rules:
    """The project's rules; what was never set is as by default."""
    known = {field.name for field in fields(Rules)}
    stored: dict[str, Any] = project.preview_rules
    return to_rules({name: stored[name] for name in known & stored.keys()})


def to_rules(facts: Mapping[str, Any]) -> Rules:
    """Rules from the contract's fields."""
    frozen: dict[str, Any] = {
        name: tuple(cast("list[str]", value)) if isinstance(value, list) else value for name, value in facts.items()
    }
    return Rules(**frozen)


def rules_payload(rules: Rules) -> dict[str, Any]:
    """Rules as they are stored, and as the API shows them."""
    return {**asdict(rules), "branches": list(rules.branches), "shared": list(rules.shared)}


def check_rules(rules: Rules, names: Collection[str]) -> None:
    """Return when every service that the rules name is there; InvalidInput naming the field otherwise."""
    for field, given in (("main", [rules.main] if rules.main else []), ("shared", rules.shared)):
        if unknown := sorted(set(given) - set(names)):
            raise InvalidInput(f"The project has no service {unknown[0]!r}.", field=field)


def choose_services(
    members: Iterable[Member], needs: Graph, *, project: str, main: str | None, scope: str, shared: Sequence[str]
) -> Selection:
    """What a preview has; InvalidInput when there is no main service to begin with, or nothing is left.

    What is shared ends the graph: what only it needs is not made either.
    """
    found = {member.name: member for member in members}
    _check_known([*([main] if main else []), *shared], found)
    named = frozenset(found[name].id for name in shared)
    first = found[main] if main else _find_main(found, needs, project=project)
    if scope == "project":
        own = {member.id for member in found.values()} - named
        return _selection(first, own, named)
    if first is None:
        raise InvalidInput(f"{project} has no main service by itself.", hint="Name it as `main`.", field="main")
    if scope == "service":
        return _selection(first, {first.id}, named | set(needs.get(first.id, ())))
    return _selection(first, _below(needs, first.id, without=named), named)


def preview_name(*, number: int | None = None, branch: str = "") -> str:
    """The name of a preview by itself: `pr-7`, or the branch; a branch that is no name as it is gets a hash behind it.

    So no two branches meet, whatever their names are.
    """
    if number is not None:
        return f"pr-{number}"
    if re.fullmatch(SLUG_PATTERN, branch):
        return branch
    digest = sha256(branch.encode(errors="surrogatepass")).hexdigest()[:8]
    slug = re.sub(r"[^a-z0-9]+", "-", branch.lower()).strip("-")
    return f"{slug[: _LONGEST_NAME - 9].strip('-') or 'branch'}-{digest}"


def other_name(name: str, *, seed: str) -> str:
    """The name with a hash behind it, for where it is taken."""
    return f"{name[: _LONGEST_NAME - 9].strip('-')}-{sha256(seed.encode()).hexdigest()[:8]}"


def _check_known(names: Iterable[str], found: Mapping[str, Member]) -> None:
    for name in names:
        if name not in found:
            raise InvalidInput(f"The project has no service {name!r}.", field="services")


def _find_main(found: Mapping[str, Member], needs: Graph, *, project: str) -> Member | None:
    """The web service named like the project, else the first that no other needs, else the first."""
    web = [found[name] for name in sorted(found) if found[name].type == ServiceType.WEB]
    needed = {need for others in needs.values() for need in others}
    outer = [member for member in web if member.id not in needed]
    return next((member for member in web if member.name == project), next(iter(outer or web), None))


def _below(needs: Graph, root: str, *, without: Collection[str]) -> set[str]:
    found: set[str] = set()
    edge = {root}
    while edge:
        found |= edge
        edge = {need for node in edge for need in needs.get(node, ())} - found - set(without)
    return found


def _selection(main: Member | None, own: Collection[str], shared: Collection[str]) -> Selection:
    if not own:
        raise InvalidInput("Nothing is left for the preview: all of it is shared.", field="shared")
    return Selection(main.id if main is not None else None, tuple(sorted(own)), tuple(sorted(set(shared) - set(own))))
