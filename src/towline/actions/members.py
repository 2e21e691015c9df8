"""Members of a project: who has which role, given, changed, taken away, and handed over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import Caller, Permission, Role, visible_projects
from towline.actions.credentials import announce_ending
from towline.actions.events import emit
from towline.actions.granting import check_grant, check_reach, find_role, lock_project
from towline.actions.platform import Platform
from towline.actions.sessions import require_renewal
from towline.errors import Conflict, Forbidden, NotFound
from towline.infra.database import Work
from towline.models.accounts import ApiKey, User
from towline.models.base import utc_now
from towline.models.projects import Project, ProjectCollaborator


@dataclass(frozen=True, slots=True)
class Member:
    """A user with a role in a project."""

    user: User
    role: str
    joined_at: datetime


async def list_members(
    session: AsyncSession, project_id: str, *, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Member]:
    """Members of a project in the order they joined it, behind a position (time and user)."""
    query = _members(project_id).order_by(ProjectCollaborator.created_at, ProjectCollaborator.user_id).limit(limit)
    if after is not None:
        query = query.where(tuple_(ProjectCollaborator.created_at, ProjectCollaborator.user_id) > after)
    return [Member(user, row.role, row.created_at) for user, row in await session.execute(query)]


async def get_member(session: AsyncSession, project_id: str, user_id: str) -> Member:
    """A member by the user's id; NotFound for somebody who is none."""
    member = await find_member(session, project_id, user_id)
    if member is None:
        raise NotFound(f"The project has no member {user_id!r}.", hint="List its members, or invite somebody.")
    return member


async def find_member(session: AsyncSession, project_id: str, user_id: str) -> Member | None:
    """A member by the user's id."""
    found = (await session.execute(_members(project_id).where(User.id == user_id))).first()
    return None if found is None else Member(found[0], found[1].role, found[1].created_at)


async def add_member(
    platform: Platform, work: Work, caller: Caller, project: Project, *, reference: str, role: str
) -> Member:
    """Make a user a member at once; NotFound for somebody the caller does not know, who is to be invited instead."""
    await lock_project(work.session, project.id)
    check_grant(caller, role, role=await find_role(work.session, project.id, caller.user_id))
    user = await _get_known_user(work.session, caller, reference)
    if await find_role(work.session, project.id, user.id) is not None:
        raise Conflict(f"{user.email} is a member already.", hint="Change the member's role instead.")
    return await join(platform, work, project.id, user=user, role=role)


async def join(platform: Platform, work: Work, project_id: str, *, user: User, role: str) -> Member:
    """Store a new member, whose right to be one was checked before; their sessions get other values."""
    row = ProjectCollaborator(project_id=project_id, user_id=user.id, role=Role(role).value, created_at=utc_now())
    work.session.add(row)
    await work.session.flush()
    await require_renewal(work, user.id)
    emit(platform, work, "member.added", project_id=project_id, user_id=user.id)
    return Member(user, row.role, row.created_at)


async def change_role(
    platform: Platform, work: Work, caller: Caller, project: Project, *, user_id: str, role: str
) -> Member:
    """Give a member another role; Conflict when the project would be without an owner."""
    await lock_project(work.session, project.id)
    own = await find_role(work.session, project.id, caller.user_id)
    member = await get_member(work.session, project.id, user_id)
    check_reach(caller, member.role, role=own)
    check_grant(caller, role, role=own)
    if member.role == Role.OWNER.value and role != Role.OWNER.value:
        await _give_up_ownership(work, project, user_id)
    await change_role_of(platform, work, project.id, user_id, role=role)
    return Member(member.user, role, member.joined_at)


async def change_role_of(platform: Platform, work: Work, project_id: str, user_id: str, *, role: str) -> None:
    """Store a member's role, the right to it checked before; open connections lose at once what it does not allow."""
    row = await work.session.get(ProjectCollaborator, (project_id, user_id))
    if row is None or row.role == role:
        return
    row.role = role
    await require_renewal(work, user_id)
    announce_ending(platform, work)
    emit(platform, work, "member.changed", project_id=project_id, user_id=user_id)


async def remove_member(platform: Platform, work: Work, caller: Caller, project: Project, *, user_id: str) -> Member:
    """Take a member's role away; their keys of this project stop at once. Conflict for the last owner."""
    await lock_project(work.session, project.id)
    member = await get_member(work.session, project.id, user_id)
    check_reach(caller, member.role, role=await find_role(work.session, project.id, caller.user_id))
    await _remove(platform, work, project, member)
    return member


async def leave_project(platform: Platform, work: Work, caller: Caller, project: Project) -> Member:
    """Take the caller's own role away, whatever it is. Conflict for the last owner, Forbidden for a limited key."""
    if not caller.has_scope(Permission.MANAGE_COLLABORATORS):
        raise Forbidden(
            "This API key is too limited to leave a project for its user.",
            hint="Use a key with the scope `manage_collaborators`, or sign in.",
        )
    await lock_project(work.session, project.id)
    member = await get_member(work.session, project.id, caller.user_id)
    await _remove(platform, work, project, member)
    return member


async def transfer_project(platform: Platform, work: Work, caller: Caller, project: Project, *, user_id: str) -> Member:
    """Hand a project over to another member, who becomes its owner; who hands it over stays as an admin.

    Forbidden for a limited key: an owner may do more than it.
    """
    await lock_project(work.session, project.id)
    own = await find_role(work.session, project.id, caller.user_id)
    check_grant(caller, Role.OWNER.value, role=own)
    receiver = await get_member(work.session, project.id, user_id)
    if receiver.user.disabled_at is not None:
        raise Conflict(f"{receiver.user.email} is disabled.", hint="Hand the project over to somebody else.")
    giver_id = caller.user_id if own == Role.OWNER.value else project.owner_id
    if giver_id == user_id:
        raise Conflict(f"{receiver.user.email} owns the project already.", hint="Name another member.")
    await change_role_of(platform, work, project.id, giver_id, role=Role.ADMIN.value)
    await change_role_of(platform, work, project.id, user_id, role=Role.OWNER.value)
    project.owner_id = user_id
    return Member(receiver.user, Role.OWNER.value, receiver.joined_at)


def _members(project_id: str) -> Select[User, ProjectCollaborator]:
    return (
        select(User, ProjectCollaborator)
        .join(ProjectCollaborator, ProjectCollaborator.user_id == User.id)
        .where(ProjectCollaborator.project_id == project_id)
    )


async def _remove(platform: Platform, work: Work, project: Project, member: Member) -> None:
    if member.role == Role.OWNER.value:
        await _give_up_ownership(work, project, member.user.id)
    row = await work.session.get_one(ProjectCollaborator, (project.id, member.user.id))
    await work.session.delete(row)
    await work.session.execute(
        update(ApiKey)
        .where(ApiKey.user_id == member.user.id, ApiKey.project_id == project.id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=utc_now())
        .execution_options(synchronize_session=False)
    )
    await require_renewal(work, member.user.id)
    announce_ending(platform, work)
    emit(platform, work, "member.removed", project_id=project.id, user_id=member.user.id)


async def _give_up_ownership(work: Work, project: Project, user_id: str) -> None:
    """Conflict when nobody else who may sign in owns the project; `owner_id` goes on to who owned it longest."""
    query = (
        _members(project.id)
        .where(ProjectCollaborator.role == Role.OWNER.value, User.id != user_id, User.disabled_at.is_(None))
        .order_by(ProjectCollaborator.created_at, User.id)
        .limit(1)
    )
    other = (await work.session.scalars(query)).first()
    if other is None:
        raise Conflict(
            "A project cannot be without an owner.", hint="Hand it over first: `towline members transfer EMAIL`."
        )
    if project.owner_id == user_id:
        project.owner_id = other.id


async def _get_known_user(session: AsyncSession, caller: Caller, reference: str) -> User:
    """A user by id or address. Whom one shares no project with one does not know: nobody learns who has an account."""
    query = select(User).where(or_(User.id == reference, func.lower(User.email) == reference.lower()))
    query = query.where(User.disabled_at.is_(None))
    if not caller.is_administrator or caller.project_id is not None:
        shared = select(ProjectCollaborator.user_id).where(
            ProjectCollaborator.project_id.in_(select(Project.id).where(visible_projects(caller)))
        )
        query = query.where(User.id.in_(shared))
    user = (await session.scalars(query)).one_or_none()
    if user is None:
        raise NotFound(
            f"You share no project with {reference}.", hint="Invite them: `towline members invite EMAIL --role ROLE`."
        )
    return user
