"""Operations of services and what runs of them."""

from typing import Final

from towline.contract.base import EnvironmentQuery, PageQuery
from towline.contract.deployments import Deployment, DeployRequest
from towline.contract.domains import Route, RouteCreate, RouteList
from towline.contract.logs import NDJSON_MEDIA_TYPE, LogPage, ServiceLogQuery
from towline.contract.metrics import MetricHistory, MetricQuery, Uptime, UptimeQuery
from towline.contract.operations import Operation, accept, create, delete, read, update
from towline.contract.releases import ReleaseList, ReleasePromote, ReleaseQuery
from towline.contract.services import (
    EnvironmentChoice,
    FoundServiceList,
    Service,
    ServiceCreate,
    ServiceList,
    ServiceScale,
    ServiceSearch,
    ServiceUpdate,
)
from towline.contract.status import HealthCheckList, HealthQuery, InstanceList, ServiceStatus, ServiceStatusList

_PROJECT: Final = "/projects/{project}"
_SERVICE: Final = "/projects/{project}/services/{service}"

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
    read(
        "services.search",
        "/services",
        needs="view_projects",
        gives=FoundServiceList,
        query=ServiceSearch,
        summary="Search services of all projects",
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
        "services.listStatuses",
        f"{_PROJECT}/statuses",
        needs="view_projects",
        gives=ServiceStatusList,
        query=EnvironmentQuery,
        summary="Show what runs of all services of a project",
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
        "health.uptime",
        f"{_SERVICE}/uptime",
        needs="view_projects",
        gives=Uptime,
        query=UptimeQuery,
        summary="Show how often a service was well",
    ),
    read(
        "metrics.history",
        f"{_SERVICE}/metrics",
        needs="view_projects",
        gives=MetricHistory,
        query=MetricQuery,
        summary="Show what a service used over time",
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
