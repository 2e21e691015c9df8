"""Which services a pushed branch or tag is for, where it goes, and why nothing is done; no rows, no clock."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from pathspec import GitIgnoreSpec

from towline.sources.base import WebhookEvent

BRANCHES: Final = "refs/heads/"
TAGS: Final = "refs/tags/"
PRODUCTION: Final = "production"
_SKIPS: Final = re.compile(
    r"\[(skip ci|ci skip|no ci|skip towline|towline skip)\]|^skip-checks:\s*true$", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A service that is built from the repository."""

    service_id: str
    name: str
    branch: str
    watch_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What to deploy where; `reason` says why nothing, or why services were not left out."""

    environment: str = ""
    service_ids: tuple[str, ...] = ()
    reason: str = ""


def decide(event: WebhookEvent, rules: Sequence[Mapping[str, str]], candidates: Iterable[Candidate]) -> Decision:
    """What a push or tag deploys. Without rules each service's own branch goes to production."""
    if reason := why_not(event):
        return Decision(reason=reason)
    found = list(candidates)
    if not found:
        return Decision(reason="No service of the project is built from this repository.")
    environment = environment_of(event.ref, rules)
    if rules and not environment:
        return Decision(reason=f"No rule matches {_short(event.ref)}.")
    chosen = found if rules else [one for one in found if is_own_branch(one, event)]
    if not chosen:
        return Decision(reason=f"No service is deployed from {_short(event.ref)}.")
    watching = [one for one in chosen if _is_touched(one, event.changed_paths)]
    if not watching:
        return Decision(reason="Nothing was changed below the paths that are watched.")
    return Decision(environment or PRODUCTION, tuple(one.service_id for one in watching), _why_all(event, watching))


def wants_paths(event: WebhookEvent, rules: Sequence[Mapping[str, str]], candidates: Sequence[Candidate]) -> bool:
    """Whether it matters which paths a push changed, and its sender did not say."""
    if event.kind != "push" or event.changed_paths is not None:
        return False
    chosen = decide(event, rules, candidates).service_ids
    return any(one.watch_paths for one in candidates if one.service_id in chosen)


def environment_of(ref: str, rules: Sequence[Mapping[str, str]]) -> str:
    """The environment of the first rule that matches; empty when none does."""
    for rule in rules:
        key, prefix = ("tag", TAGS) if rule.get("tag") else ("branch", BRANCHES)
        if ref.startswith(prefix) and fnmatchcase(ref.removeprefix(prefix), rule.get(key, "")):
            return rule["environment"]
    return ""


def is_for_environment(
    event: WebhookEvent, rules: Sequence[Mapping[str, str]], candidates: Iterable[Candidate]
) -> bool:
    """Whether a push is to a branch that an environment which is always there is deployed from."""
    if event.kind != "push":
        return False
    return bool(environment_of(event.ref, rules)) if rules else any(is_own_branch(one, event) for one in candidates)


def asks_to_skip(message: str) -> bool:
    """Whether a commit's message asks for no deployment."""
    return _SKIPS.search(message) is not None


def why_not(event: WebhookEvent) -> str:
    """Why an event deploys nothing, whatever the project is; empty when it may."""
    if event.kind == "ping":
        return "A ping: the connection works."
    if event.kind == "ignored":
        return event.reason
    if event.kind == "branch_deleted":
        return f"{_short(event.ref)} was deleted."
    if event.kind == "pull_request":
        return "Pull and merge requests deploy nothing by themselves."
    if asks_to_skip(event.message):
        return "The commit asks to be skipped."
    return ""


def is_own_branch(one: Candidate, event: WebhookEvent) -> bool:
    """Whether a push is to the branch that a service is deployed from."""
    if not event.ref:  # Towline's own webhook with an empty body: deploy what is configured
        return True
    return event.kind == "push" and event.ref == BRANCHES + (one.branch or event.default_branch)


def _is_touched(one: Candidate, changed: Sequence[str] | None) -> bool:
    """Whether a watched path changed; yes when not all changes are known."""
    if not one.watch_paths or changed is None:
        return True
    return any(GitIgnoreSpec.from_lines(one.watch_paths).match_files(changed))


def _why_all(event: WebhookEvent, deployed: Iterable[Candidate]) -> str:
    """Why services that watch paths are deployed whatever was changed; empty when it is known what was."""
    if event.changed_paths is not None or not event.reason or not any(one.watch_paths for one in deployed):
        return ""
    return f"Which paths were changed is not known, so none were left out: {event.reason}"


def _short(ref: str) -> str:
    return ref.removeprefix(BRANCHES).removeprefix(TAGS)[:200] or "this"
