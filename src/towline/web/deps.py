"""What a route works with: one Call per request, its permission checked and its transaction open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from fastapi import Request
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import (
    INSTANCE_PERMISSIONS,
    Caller,
    Permission,
    check,
    get_project,
    permit,
    permitted_projects,
    read_project,
)
from towline.actions.credentials import Credential
from towline.actions.platform import Platform
from towline.actions.services import get_service, read_service
from towline.contract.operations import Operation
from towline.infra.database import Work
from towline.models.deployments import Deployment
from towline.models.projects import Project
from towline.models.services import Service
from towline.web.known import Known, find_known

ANYONE: Final = "anyone"
SIGNED_IN: Final = "signed_in"
T = TypeVar("T")


def get_platform(request: Request) -> Platform:
    """The platform the app was made for."""
    platform = request.app.state.platform
    assert isinstance(platform, Platform)
    return platform


@dataclass
class Call:
    """One request to one operation.

    `project`, `service` and `deployment` are there when the operation's path names them: found, visible, and with the
    operation's permission. An operation of a project whose path names none must ask one of `get_project`, `require`
    and `permitted_projects` before it answers; otherwise nothing is answered (closed by default).
    `work` is the request's transaction, committed before the answer is sent; streamed operations have none.
    """

    platform: Platform
    operation: Operation
    request: Request
    credential: Credential
    path: Mapping[str, str] = field(default_factory=dict[str, str])
    asked_project: str = ""
    is_checked: bool = False
    granted: tuple[str, str] = ("", "")
    """The permission that was checked last, and the project it is of; empty for all, or where none was needed."""

    object_id: str = ""
    detail: dict[str, Any] = field(default_factory=dict[str, Any])
    open_work: Work | None = None
    found_project: Project | None = None
    found_project_id: str = ""
    found_service: Service | None = None
    found_deployment: Deployment | None = None

    @property
    def caller(self) -> Caller:
        """Who calls."""
        return self.credential.caller

    @property
    def is_blind(self) -> bool:
        """Whether the request names a project or deployment that was not found among what the caller may see."""
        return self.found_project is None and bool(self.asked_project or "deployment" in self.path)

    @property
    def known(self) -> Known | None:
        """What a page that asks this and more has found already; a change looks for itself."""
        return None if self.operation.is_write else find_known(self.request, self.caller)

    @property
    def work(self) -> Work:
        """The transaction of this request."""
        return _there(self.open_work, "transaction")

    @property
    def session(self) -> AsyncSession:
        """The session of this request's transaction."""
        return self.work.session

    @property
    def project(self) -> Project:
        """The project that the path names."""
        return _there(self.found_project, "project")

    @property
    def service(self) -> Service:
        """The service that the path names."""
        return _there(self.found_service, "service")

    @property
    def deployment(self) -> Deployment:
        """The deployment that the path names."""
        return _there(self.found_deployment, "deployment")

    @property
    def permission(self) -> Permission:
        """The permission of the operation; only for operations that need more than to be signed in."""
        return Permission(self.operation.permission)

    async def get_project(self, reference: str, *, permission: Permission | None = None) -> Project:
        """A project named in query or body where the caller has the operation's permission (or the one given)."""
        wanted = permission or self.permission
        self.asked_project = reference
        if (known := self.known) is not None:
            project = permit(self.caller, wanted, await known.project(reference), reference=reference)
        else:
            project = await get_project(self.session, self.caller, reference, permission=wanted)
        return self._let_in(project, wanted)

    async def get_service(self, reference: str) -> Service:
        """A service of the path's project; NotFound otherwise."""
        if (known := self.known) is not None:
            return await known.service(self.project.id, reference)
        return await get_service(self.session, self.project.id, reference)

    async def read_project(self, reference: str) -> Project:
        """The same for the operation's permission, without a transaction."""
        if self.known is not None:
            return await self.get_project(reference)
        self.asked_project = reference
        database = self.platform.database
        project = await read_project(database, self.caller, reference, permission=self.permission)
        return self._let_in(project, self.permission)

    async def read_service(self, reference: str) -> Service:
        """What `get_service` gives, without a transaction."""
        if self.known is not None:
            return await self.get_service(reference)
        return await read_service(self.platform.database, self.project.id, reference)

    def require(self, permission: Permission) -> None:
        """Return when the caller has a permission of the whole instance; Forbidden otherwise."""
        if permission not in INSTANCE_PERMISSIONS:
            raise ValueError(f"{permission} is not a permission of the instance")
        check(self.caller, permission, role=None)
        self.is_checked, self.granted = True, (permission.value, "")

    def permitted_projects(self) -> ColumnElement[bool]:
        """The condition that limits a query on projects to those where the caller has the operation's permission."""
        condition = permitted_projects(self.caller, self.permission)
        self.is_checked, self.granted = True, (self.permission.value, "")
        return condition

    def note(self, object_id: str, **detail: Any) -> None:
        """Tell the audit log which object was changed, and what of it; never a secret."""
        self.object_id = object_id
        self.detail.update(detail)

    def _let_in(self, project: Project, permission: Permission) -> Project:
        self.is_checked, self.granted = True, (permission.value, project.id)
        self.found_project = project
        self.found_project_id = project.id  # a refusal is noted after a rollback, when the row is not readable any more
        return project


def _there(value: T | None, name: str) -> T:
    if value is None:
        raise RuntimeError(f"this operation has no {name}")
    return value
