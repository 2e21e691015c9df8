"""Who may give which role to whom: nobody gives more than they hold, or reaches somebody who holds more."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import INSTANCE_PERMISSIONS, ROLE_PERMISSIONS, Caller, Permission, Role, may
from towline.errors import Forbidden, NotFound
from towline.models.accounts import User
from towline.models.projects import Project, ProjectCollaborator

_STRENGTH: Final[Sequence[Role]] = (Role.VIEWER, Role.DEVELOPER, Role.ADMIN, Role.OWNER)


def held_permissions(caller: Caller, *, role: str | None) -> frozenset[Permission]:
    """What a caller with this role in a project may do there, through the key in use."""
    return frozenset(
        permission
        for permission in Permission
        if permission not in INSTANCE_PERMISSIONS and may(caller, permission, role=role)
    )


def can_grant(caller: Caller, wanted: str, *, role: str | None) -> bool:
    """Whether a caller with this role may give the role `wanted`, or take it from somebody."""
    held = held_permissions(caller, role=role)
    return Permission.MANAGE_COLLABORATORS in held and ROLE_PERMISSIONS[Role(wanted)] <= held


def check_grant(caller: Caller, wanted: str, *, role: str | None) -> None:
    """Return when the caller may give a role; Forbidden otherwise."""
    if not can_grant(caller, wanted, role=role):
        raise Forbidden(
            f"You cannot give the role {wanted!r}: it may do more than you may here.",
            hint="Give a role that may do no more than you may, or ask a project owner.",
        )


def check_reach(caller: Caller, target: str, *, role: str | None) -> None:
    """Return when the caller may change or remove somebody who has the role `target`; Forbidden otherwise."""
    if not can_grant(caller, target, role=role):
        raise Forbidden(
            f"You cannot change or remove somebody with the role {target!r}: they may do more than you may here.",
            hint="Ask a project owner.",
        )


def check_unlimited(caller: Caller) -> None:
    """Return when the caller may make an administrator, or a way into somebody's account: not by a limited key."""
    if caller.scopes is not None or caller.project_id is not None:
        raise Forbidden(
            "A limited API key cannot make administrators or ways into accounts: they may do more than the key.",
            hint="Sign in, or use a key without limits.",
        )


def stronger_role(one: str, other: str) -> str:
    """The role of the two that may do more."""
    return max(one, other, key=lambda name: _STRENGTH.index(Role(name)))


async def find_role(session: AsyncSession, project_id: str, user_id: str) -> str | None:
    """A user's own role in a project; None for somebody who is no member of it."""
    query = select(ProjectCollaborator.role).where(
        ProjectCollaborator.project_id == project_id, ProjectCollaborator.user_id == user_id
    )
    return await session.scalar(query)


async def may_still_grant(session: AsyncSession, user_id: str, wanted: str, *, project_id: str) -> bool:
    """Whether a user may give this role in a project as things are now."""
    user = (await session.scalars(select(User).where(User.id == user_id, User.disabled_at.is_(None)))).one_or_none()
    is_there = await session.scalar(select(Project.id).where(Project.id == project_id, Project.deleted_at.is_(None)))
    if user is None or is_there is None:
        return False
    caller = Caller(user_id=user.id, is_administrator=user.is_administrator)
    return can_grant(caller, wanted, role=await find_role(session, project_id, user_id))


async def lock_project(session: AsyncSession, project_id: str) -> None:
    """Let others who change the same project's members wait, and read it anew; NotFound once it was deleted."""
    query = select(Project).where(Project.id == project_id, Project.deleted_at.is_(None)).with_for_update()
    if (await session.scalars(query.execution_options(populate_existing=True))).one_or_none() is None:
        raise NotFound("There is no such project, or you may not see it.")
