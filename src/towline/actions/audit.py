"""The audit log: every change and every refused attempt, who made it, from where, and what it changed."""

import os
import pwd
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import SYSTEM, Caller
from towline.actions.platform import Platform
from towline.infra.database import Work
from towline.models.deployments import Deployment
from towline.models.history import AuditEntry
from towline.models.projects import Project

_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class EntryChoice:
    """Which entries are wanted; what is None does not matter.

    `action` is an operation's id, or its first part (`services`) for all of a noun. `until` is not included itself.
    """

    project_id: str | None = None
    actor_id: str | None = None
    action: str | None = None
    object_id: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def record(
    work: Work,
    caller: Caller,
    action: str,
    *,
    outcome: Literal["allowed", "refused"] = "allowed",
    project_id: str = "",
    object_id: str = "",
    detail: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry to the transaction of the change it tells of.

    `before` and `after` are the changed fields; neither they nor `detail` may hold a secret.
    """
    entry = AuditEntry(
        action=action,
        outcome=outcome,
        actor_id=caller.user_id,
        via=_via(caller),
        key_id=caller.key_id,
        session_id=caller.session_id,
        address=caller.address,
        project_id=project_id,
        object_id=object_id,
        detail=dict(detail or {}),
        before=dict(before or {}),
        after=dict(after or {}),
    )
    work.session.add(entry)


def record_on_server(
    work: Work, action: str, *, object_id: str = "", detail: Mapping[str, Any] | None = None, actor_id: str = ""
) -> None:
    """Add an entry of a command that was run on the server itself, with the account it was run by."""
    told = {"account": _account(), **(detail or {})}
    work.session.add(AuditEntry(action=action, via="server", actor_id=actor_id, object_id=object_id, detail=told))


async def list_entries(
    session: AsyncSession, choice: EntryChoice, *, before: int | None, limit: int
) -> Sequence[AuditEntry]:
    """Entries that fit, newest first, those below the id `before`."""
    query = _chosen(choice).order_by(AuditEntry.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return (await session.scalars(query)).all()


async def export_entries(platform: Platform, choice: EntryChoice) -> AsyncGenerator[Sequence[AuditEntry]]:
    """All entries that fit, oldest first, some at once; no transaction is open between them."""
    last, is_more = 0, True
    while is_more:
        async with platform.database.transaction() as work:
            query = _chosen(choice).where(AuditEntry.id > last).order_by(AuditEntry.id).limit(_AT_ONCE)
            entries = (await work.session.scalars(query)).all()
        if entries:
            last = entries[-1].id
            yield entries
        is_more = len(entries) == _AT_ONCE


async def find_project_id(session: AsyncSession, reference: str) -> str | None:
    """The project that an attempt was aimed at, by id or name, whether or not the caller may see it."""
    query = select(Project.id).where(or_(Project.id == reference, Project.name == reference))
    return await session.scalar(query.where(Project.deleted_at.is_(None)))


async def find_project_id_of_deployment(session: AsyncSession, deployment_id: str) -> str | None:
    """The project of the deployment that an attempt was aimed at."""
    return await session.scalar(select(Deployment.project_id).where(Deployment.id == deployment_id))


def _chosen(choice: EntryChoice) -> Select[AuditEntry]:
    wanted = {
        AuditEntry.project_id: choice.project_id,
        AuditEntry.actor_id: choice.actor_id,
        AuditEntry.object_id: choice.object_id,
        AuditEntry.outcome: choice.outcome,
    }
    query = select(AuditEntry).where(*(column == value for column, value in wanted.items() if value is not None))
    if choice.action is not None:
        of_noun = AuditEntry.action.startswith(f"{choice.action}.", autoescape=True)
        query = query.where(or_(AuditEntry.action == choice.action, of_noun))
    if choice.since is not None:
        query = query.where(AuditEntry.created_at >= choice.since)
    if choice.until is not None:
        query = query.where(AuditEntry.created_at < choice.until)
    return query


def _via(caller: Caller) -> str:
    if caller.key_id:
        return "key"
    if caller.session_id:
        return "session"
    return "system" if caller.user_id == SYSTEM.user_id else ""


def _account() -> str:
    """The account of this process, and who became it by sudo."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    behind = os.environ.get("SUDO_USER", "")
    return f"{name} ({behind})" if behind else name
