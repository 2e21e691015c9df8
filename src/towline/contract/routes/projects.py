"""Operations of projects, their environments, variables and uploads."""

from typing import Final

from towline.contract.base import PageQuery
from towline.contract.deployments import Deployment
from towline.contract.environments import Environment, EnvironmentCreate, EnvironmentList, EnvironmentUpdate, ShareLinks
from towline.contract.operations import Operation, accept, create, delete, read, update
from towline.contract.projects import Project, ProjectCreate, ProjectList, ProjectSummaryList, ProjectUpdate
from towline.contract.uploads import UPLOAD_MEDIA_TYPE, Upload, UploadCreate
from towline.contract.variables import VariableDeleteQuery, VariableList, VariableQuery, VariablesSet

_PROJECT: Final = "/projects/{project}"

PROJECT_OPERATIONS: Final = (
    read("projects.list", "/projects", needs="signed_in", gives=ProjectList, query=PageQuery, summary="List projects"),
    read(
        "projects.listSummaries",
        "/project-summaries",
        needs="view_projects",
        gives=ProjectSummaryList,
        query=PageQuery,
        summary="List projects with their health, addresses and last deployment",
    ),
    create(
        "projects.create",
        "/projects",
        needs="create_projects",
        takes=ProjectCreate,
        gives=Project,
        summary="Create a project",
    ),
    Operation(
        "projects.createExample",
        "POST",
        "/example",
        "Create the example project and deploy it; what is there of it stays",
        "create_projects",
        response=Deployment,
        status=202,
    ),
    read("projects.get", _PROJECT, needs="view_projects", gives=Project, summary="Show a project"),
    update(
        "projects.update",
        _PROJECT,
        needs="manage_project",
        takes=ProjectUpdate,
        gives=Project,
        summary="Change a project",
    ),
    delete("projects.delete", _PROJECT, needs="manage_project", summary="Delete a project and all that runs in it"),
    read(
        "environments.list",
        f"{_PROJECT}/environments",
        needs="view_projects",
        gives=EnvironmentList,
        query=PageQuery,
        summary="List environments of a project",
    ),
    create(
        "environments.create",
        f"{_PROJECT}/environments",
        needs="manage_services",
        takes=EnvironmentCreate,
        gives=Environment,
        summary="Create an environment",
    ),
    update(
        "environments.update",
        f"{_PROJECT}/environments/{{environment}}",
        needs="manage_services",
        takes=EnvironmentUpdate,
        gives=Environment,
        summary="Say when an environment falls asleep, and who may visit it",
    ),
    accept(
        "environments.wake",
        f"{_PROJECT}/environments/{{environment}}/wake",
        gives=Environment,
        summary="Wake an environment that sleeps",
    ),
    Operation(
        "environments.createShareLink",
        "POST",
        f"{_PROJECT}/environments/{{environment}}/share-link",
        "Make a new share link of an environment, in place of earlier ones",
        "create_previews",
        response=ShareLinks,
        status=201,
    ),
    delete(
        "environments.deleteShareLink",
        f"{_PROJECT}/environments/{{environment}}/share-link",
        needs="create_previews",
        summary="Make the share links of an environment worthless",
    ),
    delete(
        "environments.delete",
        f"{_PROJECT}/environments/{{environment}}",
        needs="manage_services",
        summary="Delete an environment and all that runs in it",
    ),
    read(
        "variables.list",
        f"{_PROJECT}/variables",
        needs="deploy",
        gives=VariableList,
        query=VariableQuery,
        summary="List variables of a project or service",
    ),
    update(
        "variables.set",
        f"{_PROJECT}/variables",
        needs="manage_services",
        takes=VariablesSet,
        gives=VariableList,
        summary="Set variables of a project or service",
    ),
    delete(
        "variables.delete",
        f"{_PROJECT}/variables/{{name}}",
        needs="manage_services",
        query=VariableDeleteQuery,
        summary="Delete a variable",
    ),
    create(
        "uploads.create",
        f"{_PROJECT}/uploads",
        needs="deploy",
        takes=UploadCreate,
        gives=Upload,
        summary="Announce an upload, or ask how far it is",
    ),
    Operation(
        "uploads.append",
        "PATCH",
        f"{_PROJECT}/uploads/{{digest}}",
        "Send the next bytes of an upload, from Upload-Offset on",
        "deploy",
        response=Upload,
        request_media_type=UPLOAD_MEDIA_TYPE,
    ),
    read(
        "uploads.get",
        f"{_PROJECT}/uploads/{{digest}}",
        needs="deploy",
        gives=Upload,
        summary="Show how far an upload is",
    ),
)
