"""HTTP: projects."""

from typing import Any

from starlette.responses import Response

from towline.actions.access import Permission
from towline.actions.example import deploy_example, lock_example
from towline.actions.project_summaries import ProjectSummary, summarise_projects
from towline.actions.projects import create_project, delete_project, get_project_view, list_projects, update_project
from towline.contract.base import PageQuery
from towline.contract.deployments import Deployment
from towline.contract.projects import Project, ProjectCreate, ProjectUpdate
from towline.contract.services import ServiceCreate
from towline.errors import Conflict, NotFound
from towline.infra.example import EXAMPLE, EXAMPLE_PORT
from towline.models import projects as rows
from towline.web.answering import json_response
from towline.web.cursors import decode_cursor, page_of
from towline.web.deployments import show as show_deployment
from towline.web.deployments import to_json
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()


@router.operation("projects.list", holds_transaction=False)
async def list_(call: Call, query: PageQuery) -> Response:
    """Projects the caller can see, by name."""
    after = decode_cursor(query.cursor, str)
    projects = await list_projects(call.platform, call.caller, after=after[0] if after else None, limit=query.limit + 1)
    return json_response(page_of(projects, limit=query.limit, key=_key))


@router.operation("projects.listSummaries")
async def list_summaries(call: Call, query: PageQuery) -> Response:
    """Projects the caller can see, by name, at a glance."""
    call.permitted_projects()
    after = decode_cursor(query.cursor, str)
    projects = await list_projects(call.platform, call.caller, after=after[0] if after else None, limit=query.limit + 1)
    page = page_of(projects, limit=query.limit, key=_key)
    found = await summarise_projects(call.platform, call.work, [project["id"] for project in page["items"]])
    page["items"] = [_summary(project, found[project["id"]]) for project in page["items"]]
    return json_response(page)


@router.operation("projects.create")
async def create(call: Call, body: ProjectCreate) -> Project:
    """A new project, owned by the caller."""
    project = await create_project(
        call.platform,
        call.work,
        call.caller,
        name=body.name,
        description=body.description,
        base_domain=body.base_domain or "",
    )
    call.found_project = project
    call.note(project.id, name=project.name)
    return await _show(call)


@router.operation("projects.createExample")
async def create_example(call: Call) -> Deployment:
    """The example, as a deployment that goes on or has ended well."""
    project = await lock_example(call.work)
    if project is not None:
        await _check_example(call)
    fields = ServiceCreate(name=EXAMPLE, port=EXAMPLE_PORT).model_dump(mode="json")
    deployment = await deploy_example(call.platform, call.work, call.caller, project=project, service_fields=fields)
    call.found_project = await call.session.get_one(rows.Project, deployment.project_id)
    call.note(deployment.id, name=EXAMPLE)
    return await show_deployment(call, deployment.id)


async def _check_example(call: Call) -> None:
    """A project of that name may be somebody else's, who is not told of; so the same is said as of any taken name."""
    try:
        for permission in (Permission.DEPLOY, Permission.MANAGE_SERVICES):
            await call.get_project(EXAMPLE, permission=permission)
    except NotFound as error:
        raise Conflict(f"There is already a project named {EXAMPLE!r}.", hint="Ask its owner for access.") from error


@router.operation("projects.get")
async def get(call: Call) -> Project:
    """One project."""
    return await _show(call)


@router.operation("projects.update")
async def update(call: Call, body: ProjectUpdate) -> Project:
    """Change a project; fields left out stay as they are."""
    changes = body.model_dump(exclude_unset=True)
    for name in ("name", "takes_global_secrets"):
        if changes.get(name, "") is None:
            del changes[name]
    wanted = {name: "" if value is None else value for name, value in changes.items()}
    if wanted.get("takes_global_secrets") and not call.project.takes_global_secrets:
        # Who owns a project reads what reaches it, and everybody can make a project.
        call.require(Permission.ADMINISTER)
    await update_project(call.platform, call.work, call.project, wanted)
    call.note(call.project.id, **changes)
    return await _show(call)


@router.operation("projects.delete")
async def delete(call: Call) -> None:
    """Delete a project and all that runs in it."""
    call.note(call.project.id, name=call.project.name)
    await delete_project(call.platform, call.work, call.project)


async def _show(call: Call) -> Project:
    return Project(**await get_project_view(call.platform, call.work, call.caller, call.project.id))


def _summary(project: dict[str, Any], summary: ProjectSummary) -> dict[str, Any]:
    last = summary.last
    return {
        "project": project,
        "health": summary.health,
        "urls": summary.urls,
        "last_deployment": None if last is None else to_json(last),
    }


def _key(project: dict[str, Any]) -> tuple[str]:
    return (project["name"],)
