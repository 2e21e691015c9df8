"""Changing a preview, waking it, and the rules for a project's previews."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select

from towline.actions.environments import find_environment
from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.previews.creating import touch
from towline.actions.previews.rules import Rules, check_rules, rules_payload, to_rules
from towline.actions.protection.settings import check_doors, set_protection, set_sleep
from towline.actions.sleep import ask_for
from towline.errors import InvalidInput
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.previews import Preview
from towline.models.projects import Environment, Project
from towline.models.services import Service
from towline.values import EnvironmentKind

_COLUMNS: Final = {
    "title": "title",
    "lifetime_seconds": "lifetime",
    "is_protected_from_cap": "is_protected_from_cap",
}
_NEVER_NULL: Final = frozenset({"title", "is_protected_from_cap"})


async def change_preview(platform: Platform, work: Work, preview: Preview, changes: Mapping[str, Any]) -> None:
    """Change fields of the contract's PreviewUpdate that deploy nothing."""
    for name, column in _COLUMNS.items():
        if name in changes and (changes[name] is not None or name not in _NEVER_NULL):
            setattr(preview, column, changes[name])
    environment = await work.session.get_one(Environment, preview.environment_id)
    if "sleeps_after_seconds" in changes:
        await set_sleep(platform, work, environment, changes["sleeps_after_seconds"])
    if changes.get("protection") is not None:
        set_protection(platform, work, environment, changes["protection"])
    touch(preview, preview.last_active_at)
    if changes:
        emit(platform, work, "preview.updated", project_id=preview.project_id, data={"preview": preview.id})


async def wake_preview(platform: Platform, work: Work, preview: Preview) -> None:
    """Want what sleeps of the preview running again."""
    touch(preview, utc_now())
    await ask_for(platform, work, preview.environment_id)


async def set_rules(platform: Platform, work: Work, project: Project, facts: Mapping[str, Any]) -> Rules:
    """New rules for a project; InvalidInput for a service or base environment that is not there."""
    rules = to_rules(facts)
    check_doors(platform, sleeps_after=rules.sleeps_after_seconds, protection=rules.protection)
    query = select(Service.name).where(Service.project_id == project.id, Service.deleted_at.is_(None))
    check_rules(rules, set(await work.session.scalars(query)))
    base = await find_environment(work, project.id, rules.base)
    if base is None or base.kind == EnvironmentKind.PREVIEW:
        raise InvalidInput(f"The project has no environment {rules.base!r} that previews can build on.", field="base")
    project.preview_rules = rules_payload(rules)
    emit(platform, work, "project.updated", project_id=project.id)
    return rules
