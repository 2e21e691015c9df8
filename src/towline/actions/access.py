"""The one permission check: who may do what to which project; closed by default."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, false, or_, select, true, types
from sqlalchemy.ext.asyncio import AsyncSession

from towline.errors import Forbidden, NotFound, Unauthenticated
from towline.infra.database import Database
from towline.infra.reads import Read
from towline.models.projects import Project, ProjectCollaborator

Text = str | BindParameter[str]


class Role(StrEnum):
    """Project roles of the founding document, weakest last."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"


class Permission(StrEnum):
    """What can be allowed. The first six are the founding document's."""

    VIEW_PROJECTS = "view_projects"
    VIEW_LOGS = "view_logs"
    DEPLOY = "deploy"
    CREATE_PREVIEWS = "create_previews"
    MANAGE_SERVICES = "manage_services"
    MANAGE_COLLABORATORS = "manage_collaborators"
    MANAGE_PROJECT = "manage_project"
    CREATE_PROJECTS = "create_projects"
    ADMINISTER = "administer"


_VIEWER: Final = frozenset({Permission.VIEW_PROJECTS, Permission.VIEW_LOGS})
_DEVELOPER: Final = _VIEWER | {Permission.DEPLOY, Permission.CREATE_PREVIEWS}
_ADMIN: Final = _DEVELOPER | {Permission.MANAGE_SERVICES, Permission.MANAGE_COLLABORATORS}
_OWNER: Final = _ADMIN | {Permission.MANAGE_PROJECT}
ROLE_PERMISSIONS: Final = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _ADMIN,
    Role.DEVELOPER: _DEVELOPER,
    Role.VIEWER: _VIEWER,
}
"""The permission matrix: each role also holds what the roles below it hold."""

INSTANCE_PERMISSIONS: Final = frozenset({Permission.ADMINISTER, Permission.CREATE_PROJECTS})
"""Permissions that are not of a project; `create_projects` belongs to every user, `administer` to administrators."""

PERMISSION_MEANINGS: Final = {
    Permission.VIEW_PROJECTS: "See the project, its services, deployments, releases and members.",
    Permission.VIEW_LOGS: "Read build logs, what services print, status and health.",
    Permission.DEPLOY: "Deploy, cancel, roll back, scale, restart, stop and start; read variables.",
    Permission.CREATE_PREVIEWS: "Create preview environments.",
    Permission.MANAGE_SERVICES: "Create, change and delete services, environments, variables, domains and registries.",
    Permission.MANAGE_COLLABORATORS: "Invite, change and remove members, within one's own role; read the audit log.",
    Permission.MANAGE_PROJECT: "Rename, hand over and delete the project.",
    Permission.CREATE_PROJECTS: "Create projects, which one then owns.",
    Permission.ADMINISTER: "Manage users, mail and everything of the instance; see and manage every project.",
}
"""What each permission allows, for people; shown in the reference of roles."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who acts: a user through a key (or session), from an address.

    `scopes` None means no limit below the user's own permissions; `project_id` limits a key to one project.
    """

    user_id: str
    is_administrator: bool = False
    key_id: str = ""
    session_id: str = ""
    project_id: str | None = None
    scopes: frozenset[str] | None = None
    address: str = ""
    email: str = ""

    def has_scope(self, permission: Permission) -> bool:
        """Whether the key's scopes include the permission."""
        return self.scopes is None or permission in self.scopes


@dataclass(frozen=True, slots=True)
class FoundProject:
    """A project that a caller may see, None when there is none, and the caller's role in it."""

    project: Project | None = None
    role: str | None = None


ANONYMOUS: Final = Caller(user_id="")
SYSTEM: Final = Caller(user_id="system", is_administrator=True)
"""Towline itself: cascade, reconciliation, expiry."""


def may(caller: Caller, permission: Permission, *, role: str | None) -> bool:
    """Whether a caller with this role in the object's project (None: no role) has the permission."""
    if not caller.user_id or not caller.has_scope(permission):
        return False
    if permission in INSTANCE_PERMISSIONS:
        is_allowed = permission is Permission.CREATE_PROJECTS or caller.is_administrator
        return is_allowed and caller.project_id is None
    if caller.is_administrator:
        return True
    return role is not None and permission in ROLE_PERMISSIONS[Role(role)]


def check(caller: Caller, permission: Permission, *, role: str | None, project_id: str | None = None) -> None:
    """Return when allowed; NotFound when the caller may not even see the project, Forbidden when it may.

    Unauthenticated for nobody. This is the only place that refuses.
    """
    if not caller.user_id:
        raise Unauthenticated("This needs an API key.")
    is_outside_key = project_id is not None and caller.project_id not in {None, project_id}
    if permission not in INSTANCE_PERMISSIONS and (is_outside_key or not may_see(caller, role=role)):
        raise NotFound("There is no such object, or you may not see it.")
    if not may(caller, permission, role=role):
        raise Forbidden(f"You do not have the permission {permission.value!r} here.")


def may_see(caller: Caller, *, role: str | None) -> bool:
    """Whether a caller with this role knows that the project exists, whatever its key's scopes are."""
    return bool(caller.user_id) and (caller.is_administrator or role is not None)


def visible_projects(caller: Caller) -> ColumnElement[bool]:
    """The condition that limits a query on projects to those the caller may see."""
    if not caller.user_id:
        return false()
    return visible_to(caller.user_id, is_administrator=caller.is_administrator, project_id=caller.project_id)


def visible_to(user_id: Text, *, is_administrator: bool, project_id: Text | None) -> ColumnElement[bool]:
    """The rule behind `visible_projects`; takes bind parameters too, for statements that are compiled once."""
    in_key = true() if project_id is None else Project.id == project_id
    if is_administrator:
        return and_(Project.deleted_at.is_(None), in_key)
    is_member = select(ProjectCollaborator.project_id).where(ProjectCollaborator.user_id == user_id)
    return and_(Project.deleted_at.is_(None), in_key, Project.id.in_(is_member))


def permitted_projects(caller: Caller, permission: Permission) -> ColumnElement[bool]:
    """The condition that limits a query on projects to those where the caller has a permission of projects.

    Unauthenticated for nobody, Forbidden when the caller's key can have it nowhere.
    """
    if not caller.user_id or not caller.has_scope(permission):
        check(caller, permission, role=Role.OWNER)
    if caller.is_administrator:
        return visible_projects(caller)
    roles = [role.value for role, permissions in ROLE_PERMISSIONS.items() if permission in permissions]
    mine = select(ProjectCollaborator.project_id).where(
        ProjectCollaborator.user_id == caller.user_id, ProjectCollaborator.role.in_(roles)
    )
    return and_(visible_projects(caller), Project.id.in_(mine))


def select_projects(caller: Caller) -> Select[Project, str | None]:
    """Projects the caller may see, with the caller's role in each (None for an administrator without one)."""
    return select_with_role(caller.user_id).where(visible_projects(caller))


def select_with_role(user_id: Text) -> Select[Project, str | None]:
    """All projects with a user's role in each; never without a condition on what may be seen."""
    role: ColumnElement[str | None] = ProjectCollaborator.role  # pyright: ignore[reportAssignmentType] - outer join
    mine = and_(ProjectCollaborator.project_id == Project.id, ProjectCollaborator.user_id == user_id)
    return select(Project, role).join(ProjectCollaborator, mine, isouter=True)


async def get_project(
    session: AsyncSession, caller: Caller, reference: str, *, permission: Permission = Permission.VIEW_PROJECTS
) -> Project:
    """A project by id or name where the caller has the permission; NotFound, Forbidden or Unauthenticated otherwise."""
    query = _project_query(is_administrator=caller.is_administrator, is_one_project=caller.project_id is not None)
    row = (await session.execute(query, _wanted(caller, reference))).first() if caller.user_id else None
    found = FoundProject() if row is None else FoundProject(*row)
    return permit(caller, permission, found, reference=reference)


async def read_project(
    database: Database, caller: Caller, reference: str, *, permission: Permission = Permission.VIEW_PROJECTS
) -> Project:
    """What `get_project` gives, by a statement compiled once and outside any transaction: for what is asked often."""
    found = await find_project(database, caller, reference)
    return permit(caller, permission, found, reference=reference)


async def find_project(database: Database, caller: Caller, reference: str) -> FoundProject:
    """A project the caller may see, by id or name, with the caller's role in it; `permit` says what may be done."""
    read = _project_read(is_administrator=caller.is_administrator, is_one_project=caller.project_id is not None)
    rows = await read.fetch(database, **_wanted(caller, reference)) if caller.user_id else ()
    found = dict(rows[0]) if rows else {}
    role = found.pop("role", None)
    return FoundProject(Project(**found) if found else None, role)


def permit(caller: Caller, permission: Permission, found: FoundProject, *, reference: str) -> Project:
    """The project that was found, where the caller has the permission; NotFound, Forbidden or Unauthenticated else."""
    if found.project is None:
        check(caller, permission, role=None)
        raise NotFound(f"There is no project {reference!r}, or you may not see it.")
    check(caller, permission, role=found.role, project_id=found.project.id)
    return found.project


def _wanted(caller: Caller, reference: str) -> dict[str, str | None]:
    return {"user_id": caller.user_id, "only_project": caller.project_id, "reference": reference}


@cache
def _project_read(*, is_administrator: bool, is_one_project: bool) -> Read:
    query = _project_query(is_administrator=is_administrator, is_one_project=is_one_project)
    return Read(query.with_only_columns(*Project.__table__.columns, ProjectCollaborator.role))


@cache
def _project_query(*, is_administrator: bool, is_one_project: bool) -> Select[Project, str | None]:
    """Built once: building a statement takes longer than PostgreSQL needs for it."""
    user_id, reference = bindparam("user_id", type_=types.Text()), bindparam("reference", type_=types.Text())
    only_project = bindparam("only_project", type_=types.Text()) if is_one_project else None
    visible = visible_to(user_id, is_administrator=is_administrator, project_id=only_project)
    return select_with_role(user_id).where(visible, or_(Project.id == reference, Project.name == reference))


def check_scopes(scopes: Sequence[str]) -> list[str]:
    """Known permission names, sorted; raises ValueError naming an unknown one."""
    return sorted({Permission(scope).value for scope in scopes})
