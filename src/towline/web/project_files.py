"""HTTP: the project file planned, applied and written."""

from typing import Final

from sqlalchemy import select

from towline.actions.access import Permission, Role, check
from towline.actions.granting import find_role
from towline.actions.platform import Platform
from towline.actions.project_files.applying import Application, check_fingerprint, lock_name
from towline.actions.project_files.difference import Difference
from towline.actions.project_files.planning import Plan, Request, make_plan
from towline.actions.project_files.present import present_state
from towline.actions.projects import create_project
from towline.contract.project_file import Applied, ApplyRequest, Change, ExportedFile, FieldChange, PlanRequest
from towline.contract.project_file import Plan as ShownPlan
from towline.contract.project_file_text import write_yaml
from towline.models.projects import Project
from towline.project_files.reading import default_settings, wanted_state
from towline.project_files.writing import export_file, to_document
from towline.web.deps import Call
from towline.web.operations import OperationRouter

router = OperationRouter()
_OF_INSTANCES: Final = frozenset({"replicas", "backup"})
"""What reaches instances without a deployment: how many there are, and the command that dumps what they hold."""


@router.operation("projectFiles.plan")
async def plan(call: Call, body: PlanRequest) -> ShownPlan:
    """What an apply would do."""
    project = await _find_project(call, body)
    return _shown(await make_plan(call.platform, call.work, project, _request(body)))


@router.operation("projectFiles.apply")
async def apply(call: Call, body: ApplyRequest) -> Applied:
    """Do it, in this one transaction."""
    await lock_name(call.work, body.file.project)
    project, request = await _find_project(call, body), _request(body)
    made = await make_plan(call.platform, call.work, project, request)
    check_fingerprint(made, body.fingerprint)
    if project is None:
        project = await _create(call.platform, call, body)
    elif any(item.kind == "project" and item.is_change for item in made.differences):
        await call.get_project(project.id, permission=Permission.MANAGE_PROJECT)
    if _deploys(made, body):
        await _check_deploys(call, project)
    application = Application(call.platform, call.work, project, call.caller, made, request)
    await application.make_changes()
    group = await application.deploy() if body.deploys else None
    call.note(
        project.id, changes=[f"{item.action} {item.kind} {item.service} {item.name}" for item in made.differences]
    )
    return Applied(plan=_shown(made), group=group.id if group is not None else None)


@router.operation("projectFiles.export")
async def export(call: Call) -> ExportedFile:
    """The file of a project as it is."""
    state = await present_state(call.platform, call.work, call.project, defaults=default_settings())
    places = [("", state.variables), *((f"{name}.", service.variables) for name, service in state.services.items())]
    secrets = [f"{place}{name}" for place, variables in places for name, item in variables.items() if item.is_secret]
    return ExportedFile(text=write_yaml(to_document(export_file(state))), secrets=secrets)


async def _find_project(call: Call, body: PlanRequest) -> Project | None:
    """The project of the file; None when the caller may create it because there is none of that name."""
    name = body.file.project
    if await call.session.scalar(select(Project.id).where(Project.name == name)) is None:
        call.require(Permission.CREATE_PROJECTS)
        check(call.caller, call.permission, role=Role.OWNER)
        return None
    return await call.get_project(name)


def _deploys(made: Plan, body: ApplyRequest) -> bool:
    """Whether an apply starts or stops instances, or says what runs in them: more than to manage services."""
    reaches_instances = any(
        item.action == "update" and not _OF_INSTANCES.isdisjoint(field for field, *_ in item.fields)
        for item in made.differences
    )
    return reaches_instances or (body.deploys and bool(made.deploys))


async def _check_deploys(call: Call, project: Project) -> None:
    """Return when the caller may deploy; a project that was just made is the caller's own."""
    role = await find_role(call.session, project.id, call.caller.user_id)
    check(call.caller, Permission.DEPLOY, role=role, project_id=project.id)


async def _create(platform: Platform, call: Call, body: PlanRequest) -> Project:
    project = await create_project(
        platform,
        call.work,
        call.caller,
        name=body.file.project,
        description=body.file.description,
        base_domain=body.file.base_domain or "",
    )
    call.found_project = project
    return project


def _request(body: PlanRequest) -> Request:
    return Request(
        wanted_state(body.file), default_settings(), body.environment, deletes=body.deletes, upload=body.upload or ""
    )


def _shown(made: Plan) -> ShownPlan:
    return ShownPlan(
        changes=[_change(item) for item in made.differences],
        deploys=[list(step) for step in made.deploys],
        interrupts=list(made.interrupts),
        fingerprint=made.fingerprint,
    )


def _change(item: Difference) -> Change:
    name = f"{item.name} (previews)" if item.is_of_previews else item.name
    fields = [FieldChange(field=field, before=before, after=after) for field, before, after in item.fields]
    return Change(action=item.action, kind=item.kind, service=item.service, name=name, fields=fields)
