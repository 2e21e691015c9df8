"""The one guard of every operation: finds what the path names, and refuses where the permission is missing."""

from sqlalchemy import select

from towline.actions.access import INSTANCE_PERMISSIONS, Permission, check, permitted_projects
from towline.actions.granting import find_role
from towline.errors import NotFound
from towline.models.deployments import Deployment
from towline.web.deps import ANYONE, SIGNED_IN, Call


async def admit(call: Call) -> None:
    """Return when the caller may go on; Unauthenticated, NotFound or Forbidden otherwise.

    Operations of a project that is named in query or body are only admitted to ask for it: see `Call`.
    """
    if call.operation.permission in {ANYONE, SIGNED_IN}:
        call.is_checked = True
        return
    permission = Permission(call.operation.permission)
    if permission in INSTANCE_PERMISSIONS:
        call.require(permission)
    elif "project" in call.path:
        await call.get_project(call.path["project"])
    elif "deployment" in call.path:
        await _find_deployment(call, call.path["deployment"])
    if "service" in call.path:
        call.found_service = await call.get_service(call.path["service"])


async def admit_alone(call: Call) -> None:
    """What `admit` does, for operations that hold no transaction."""
    if call.operation.permission in {ANYONE, SIGNED_IN}:
        await admit(call)
    elif "project" in call.path and call.permission not in INSTANCE_PERMISSIONS:
        await call.read_project(call.path["project"])
        if "service" in call.path:
            call.found_service = await call.read_service(call.path["service"])
    else:
        async with call.platform.database.transaction() as work:
            call.open_work = work
            await admit(call)
        call.open_work = None
    check_admitted(call)


async def admit_again(call: Call, *, permission: str, project_id: str) -> None:
    """Return when the caller still has the permission that an earlier request like this one needed.

    Its project may be gone since, by that very request; so the role in it counts, and not whether it can be found.
    """
    if project_id:
        role = await find_role(call.session, project_id, call.caller.user_id)
        check(call.caller, Permission(permission), role=role, project_id=project_id)
    elif permission in INSTANCE_PERMISSIONS:
        check(call.caller, Permission(permission), role=None)
    elif permission:
        permitted_projects(call.caller, Permission(permission))


def check_admitted(call: Call) -> None:
    """Raise when an operation is about to answer although no permission was checked: a fault of Towline."""
    if not call.is_checked:
        raise RuntimeError(f"{call.operation.id} checked no permission.")


async def _find_deployment(call: Call, deployment_id: str) -> None:
    deployment = (await call.session.scalars(select(Deployment).where(Deployment.id == deployment_id))).one_or_none()
    try:
        await call.get_project("" if deployment is None else deployment.project_id)
    except NotFound as error:
        raise NotFound(f"There is no deployment {deployment_id!r}, or you may not see it.") from error
    call.found_deployment = deployment
