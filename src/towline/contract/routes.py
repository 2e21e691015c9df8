"""The table of all operations of the API: the one place that says what exists, at which path, for whom."""

from typing import Final

from towline.contract.account import Account
from towline.contract.audit import AuditList, AuditQuery
from towline.contract.base import EnvironmentQuery, PageQuery
from towline.contract.deployments import (
    Deployment,
    DeploymentList,
    DeploymentQuery,
    DeploymentRollback,
    DeploymentTrigger,
    DeployRequest,
)
from towline.contract.domains import Route, RouteCreate, RouteList
from towline.contract.environments import Environment, EnvironmentCreate, EnvironmentList
from towline.contract.events import Event, Subscribe
from towline.contract.keys import KeyCreate, KeyList, NewKey
from towline.contract.logs import NDJSON_MEDIA_TYPE, LogPage, LogQuery, ServiceLogQuery
from towline.contract.operations import Operation, accept, create, delete, read, update
from towline.contract.platform import Platform
from towline.contract.projects import Project, ProjectCreate, ProjectList, ProjectUpdate
from towline.contract.registries import Registry, RegistryCreate, RegistryList, RegistryQuery
from towline.contract.releases import ReleaseList, ReleasePromote, ReleaseQuery
from towline.contract.services import (
    EnvironmentChoice,
    Service,
    ServiceCreate,
    ServiceList,
    ServiceScale,
    ServiceUpdate,
)
from towline.contract.status import HealthCheckList, HealthQuery, InstanceList, ServiceStatus
from towline.contract.uploads import UPLOAD_MEDIA_TYPE, Upload, UploadCreate
from towline.contract.variables import VariableDeleteQuery, VariableList, VariableQuery, VariablesSet

BUNDLE_MEDIA_TYPE: Final = "application/zstd"

_PROJECT: Final = "/projects/{project}"
_SERVICE: Final = "/projects/{project}/services/{service}"
_DEPLOYMENT: Final = "/deployments/{deployment}"

PROJECT_OPERATIONS: Final = (
    read("projects.list", "/projects", needs="signed_in", gives=ProjectList, query=PageQuery, summary="List projects"),
    create(
        "projects.create",
        "/projects",
        needs="create_projects",
        takes=ProjectCreate,
        gives=Project,
        summary="Create a project",
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

SERVICE_OPERATIONS: Final = (
    read(
        "services.listByProject",
        f"{_PROJECT}/services",
        needs="view_projects",
        gives=ServiceList,
        query=PageQuery,
        summary="List services of a project",
    ),
    create(
        "services.create",
        f"{_PROJECT}/services",
        needs="manage_services",
        takes=ServiceCreate,
        gives=Service,
        summary="Create a service",
    ),
    read("services.get", _SERVICE, needs="view_projects", gives=Service, summary="Show a service"),
    update(
        "services.update",
        _SERVICE,
        needs="manage_services",
        takes=ServiceUpdate,
        gives=Service,
        summary="Change a service",
    ),
    delete("services.delete", _SERVICE, needs="manage_services", summary="Delete a service and all that runs of it"),
    accept("services.deploy", f"{_SERVICE}/deploy", takes=DeployRequest, gives=Deployment, summary="Deploy a service"),
    accept(
        "services.scale",
        f"{_SERVICE}/scale",
        takes=ServiceScale,
        gives=ServiceStatus,
        summary="Set the number of instances",
    ),
    accept(
        "services.restart",
        f"{_SERVICE}/restart",
        takes=EnvironmentChoice,
        gives=ServiceStatus,
        summary="Replace the instances by new ones of the same release",
    ),
    accept(
        "services.stop",
        f"{_SERVICE}/stop",
        takes=EnvironmentChoice,
        gives=ServiceStatus,
        summary="Stop a service until it is started again",
    ),
    accept(
        "services.start",
        f"{_SERVICE}/start",
        takes=EnvironmentChoice,
        gives=ServiceStatus,
        summary="Start a stopped service",
    ),
    Operation(
        "services.getLogs",
        "GET",
        f"{_SERVICE}/logs",
        "Read or follow what the instances print",
        "view_logs",
        query=ServiceLogQuery,
        response=LogPage,
        stream_media_type=NDJSON_MEDIA_TYPE,
    ),
    read(
        "services.getStatus",
        f"{_SERVICE}/status",
        needs="view_projects",
        gives=ServiceStatus,
        query=EnvironmentQuery,
        summary="Show what runs and how well",
    ),
    read(
        "instances.list",
        f"{_SERVICE}/instances",
        needs="view_projects",
        gives=InstanceList,
        query=EnvironmentQuery,
        summary="List instances of a service",
    ),
    read(
        "health.history",
        f"{_SERVICE}/health",
        needs="view_projects",
        gives=HealthCheckList,
        query=HealthQuery,
        summary="List health checks of a service",
    ),
    read(
        "releases.list",
        f"{_SERVICE}/releases",
        needs="view_projects",
        gives=ReleaseList,
        query=ReleaseQuery,
        summary="List releases of a service",
    ),
    accept(
        "releases.promote",
        f"{_SERVICE}/releases/{{release}}/promote",
        takes=ReleasePromote,
        gives=Deployment,
        summary="Run a release in another environment, without a build",
    ),
    read(
        "routes.list",
        f"{_SERVICE}/routes",
        needs="view_projects",
        gives=RouteList,
        query=EnvironmentQuery,
        summary="List hosts and paths of a service",
    ),
    create(
        "routes.create",
        f"{_SERVICE}/routes",
        needs="manage_services",
        takes=RouteCreate,
        gives=Route,
        summary="Add a custom domain",
    ),
    delete("routes.delete", f"{_SERVICE}/routes/{{route}}", needs="manage_services", summary="Remove a custom domain"),
)

DEPLOYMENT_OPERATIONS: Final = (
    accept(
        "deployments.trigger",
        "/deployments",
        takes=DeploymentTrigger,
        gives=Deployment,
        summary="Deploy a service named in the body",
    ),
    read(
        "deployments.list",
        "/deployments",
        needs="view_projects",
        gives=DeploymentList,
        query=DeploymentQuery,
        summary="List deployments",
    ),
    accept(
        "deployments.rollback",
        "/deployments/rollback",
        takes=DeploymentRollback,
        gives=Deployment,
        summary="Go back to a release, without a build",
    ),
    read("deployments.getStatus", _DEPLOYMENT, needs="view_projects", gives=Deployment, summary="Show a deployment"),
    Operation(
        "deployments.getLogs",
        "GET",
        f"{_DEPLOYMENT}/logs",
        "Read or follow what happens in a deployment",
        "view_logs",
        query=LogQuery,
        response=LogPage,
        stream_media_type=NDJSON_MEDIA_TYPE,
    ),
    accept("deployments.cancel", f"{_DEPLOYMENT}/cancel", gives=Deployment, summary="Cancel a deployment"),
    Operation(
        "bundles.download",
        "GET",
        f"{_DEPLOYMENT}/bundle",
        "Download the source that was deployed, as tar.zst",
        "deploy",
        media_type=BUNDLE_MEDIA_TYPE,
    ),
)

INSTANCE_OPERATIONS: Final = (
    read("account.get", "/account", needs="signed_in", gives=Account, summary="Show who is calling"),
    read("keys.list", "/keys", needs="signed_in", gives=KeyList, query=PageQuery, summary="List the caller's API keys"),
    create(
        "keys.create",
        "/keys",
        needs="signed_in",
        takes=KeyCreate,
        gives=NewKey,
        summary="Create an API key; its value is shown once",
    ),
    delete("keys.delete", "/keys/{key}", needs="signed_in", summary="Revoke an API key"),
    read(
        "registries.list",
        "/registries",
        needs="manage_services",
        gives=RegistryList,
        query=RegistryQuery,
        summary="List registry credentials",
    ),
    create(
        "registries.create",
        "/registries",
        needs="manage_services",
        takes=RegistryCreate,
        gives=Registry,
        summary="Store registry credentials",
    ),
    delete(
        "registries.delete", "/registries/{registry}", needs="manage_services", summary="Delete registry credentials"
    ),
    read(
        "audit.list",
        "/audit",
        needs="manage_collaborators",
        gives=AuditList,
        query=AuditQuery,
        summary="List changes and refused attempts",
    ),
    read("platform.get", "/platform", needs="signed_in", gives=Platform, summary="Show the installation"),
    Operation(
        "events",
        "WEBSOCKET",
        "/ws",
        "Follow events of rooms",
        "signed_in",
        request=Subscribe,
        response=Event,
        status=101,
    ),
)

OPERATIONS: Final = PROJECT_OPERATIONS + SERVICE_OPERATIONS + DEPLOYMENT_OPERATIONS + INSTANCE_OPERATIONS
"""Every operation, in the order of the documentation."""
