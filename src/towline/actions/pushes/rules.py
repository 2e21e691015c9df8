"""What the branches and tags of a push ask for; no rows, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from towline.actions.hooks.rules import BRANCHES, PRODUCTION, TAGS, environment_of
from towline.actions.previews.rules import Rules
from towline.errors import InvalidInput
from towline.models.services import Service
from towline.storage.base import RefChange

_MOST_CHANGES = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """The one change that is deployed and where (nowhere named: to its preview), and those that are only kept."""

    deployed: RefChange | None = None
    environment: str = ""
    kept: tuple[RefChange, ...] = field(default=())


def plan_push(service: Service, rules: Rules, changes: Sequence[RefChange]) -> Plan:
    """What becomes of a push; InvalidInput when it asks for several deployments, which could not fail apart."""
    if len(changes) > _MOST_CHANGES:
        raise InvalidInput(f"A push moves at most {_MOST_CHANGES} branches and tags.", hint="Push fewer at once.")
    wanted = [(change, _environment_of(service, change)) for change in changes]
    deployed = [(change, where) for change, where in wanted if where or _has_preview(rules, change)]
    kept = tuple(change for change, where in wanted if not where and not _has_preview(rules, change))
    if len(deployed) > 1:
        names = ", ".join(short_name(change.name) for change, _ in deployed[:5])
        raise InvalidInput(f"{names} are all deployed.", hint="Push one of them at a time.")
    return Plan(*deployed[0], kept=kept) if deployed else Plan(kept=kept)


def short_name(ref: str) -> str:
    """A branch or tag as people name it."""
    return ref.removeprefix(BRANCHES).removeprefix(TAGS)[:200]


def _has_preview(rules: Rules, change: RefChange) -> bool:
    return bool(change.new) and change.name.startswith(BRANCHES) and rules.wants_branch(short_name(change.name))


def _environment_of(service: Service, change: RefChange) -> str:
    if not change.new:
        return ""
    rules: list[dict[str, str]] = service.source_config.get("rules") or []
    if rules:
        return environment_of(change.name, rules)
    return PRODUCTION if change.name == BRANCHES + str(service.source_config.get("branch") or "main") else ""
