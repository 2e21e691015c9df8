"""Calls about services: settings, what runs, and what to do with it."""

from collections.abc import Iterator

from towline.client.connection import Call, Connection
from towline.client.logs import follow_log
from towline.contract.base import DEFAULT_ENVIRONMENT, EnvironmentQuery, PageQuery
from towline.contract.deployments import Deployment, DeployRequest
from towline.contract.logs import LogEntry, LogPage, ServiceLogQuery
from towline.contract.metrics import MetricHistory, MetricQuery, Uptime, UptimeQuery
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


class Services:
    """Services; `project` and `service` are ids or names."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_by_project(self, project: str, query: PageQuery | None = None) -> ServiceList:
        """One page of a project's services."""
        return self._connection.send(Call("services.listByProject", {"project": project}, query=query), ServiceList)

    def iterate(self, project: str) -> Iterator[Service]:
        """All services of a project."""
        call = Call("services.listByProject", {"project": project}, query=PageQuery(limit=200))
        return self._connection.iterate(call, ServiceList)

    def search(self, query: ServiceSearch) -> FoundServiceList:
        """One page of the services, in all projects the caller may see, that have every word in their names."""
        return self._connection.send(Call("services.search", query=query), FoundServiceList)

    def create(self, project: str, service: ServiceCreate, *, idempotency_key: str | None = None) -> Service:
        """Create a service; Conflict when the name is taken."""
        call = Call("services.create", {"project": project}, body=service, idempotency_key=idempotency_key)
        return self._connection.send(call, Service)

    def get(self, project: str, service: str) -> Service:
        """A service, or NotFound."""
        return self._connection.send(Call("services.get", _place(project, service)), Service)

    def update(self, project: str, service: str, change: ServiceUpdate) -> Service:
        """Change a service's settings."""
        return self._connection.send(Call("services.update", _place(project, service), body=change), Service)

    def delete(self, project: str, service: str) -> None:
        """Delete a service and all that runs of it."""
        self._connection.run(Call("services.delete", _place(project, service)))

    def deploy(
        self, project: str, service: str, request: DeployRequest, *, idempotency_key: str | None = None
    ) -> Deployment:
        """Ask for a deployment."""
        call = Call("services.deploy", _place(project, service), body=request, idempotency_key=idempotency_key)
        return self._connection.send(call, Deployment)

    def scale(
        self, project: str, service: str, replicas: int, *, environment: str = DEFAULT_ENVIRONMENT
    ) -> ServiceStatus:
        """Set the number of instances."""
        body = ServiceScale(environment=environment, replicas=replicas)
        return self._connection.send(Call("services.scale", _place(project, service), body=body), ServiceStatus)

    def restart(self, project: str, service: str, *, environment: str = DEFAULT_ENVIRONMENT) -> ServiceStatus:
        """Replace the instances by new ones of the same release."""
        return self._act("services.restart", project, service, environment=environment)

    def stop(self, project: str, service: str, *, environment: str = DEFAULT_ENVIRONMENT) -> ServiceStatus:
        """Stop a service until it is started again."""
        return self._act("services.stop", project, service, environment=environment)

    def start(self, project: str, service: str, *, environment: str = DEFAULT_ENVIRONMENT) -> ServiceStatus:
        """Start a stopped service."""
        return self._act("services.start", project, service, environment=environment)

    def get_status(self, project: str, service: str, *, environment: str = DEFAULT_ENVIRONMENT) -> ServiceStatus:
        """What runs and how well."""
        query = EnvironmentQuery(environment=environment)
        return self._connection.send(Call("services.getStatus", _place(project, service), query=query), ServiceStatus)

    def list_statuses(self, project: str, *, environment: str = DEFAULT_ENVIRONMENT) -> ServiceStatusList:
        """What runs of all services of a project."""
        call = Call("services.listStatuses", {"project": project}, query=EnvironmentQuery(environment=environment))
        return self._connection.send(call, ServiceStatusList)

    def get_logs(self, project: str, service: str, query: ServiceLogQuery | None = None) -> LogPage:
        """Lines the instances printed."""
        return self._connection.send(Call("services.getLogs", _place(project, service), query=query), LogPage)

    def follow_logs(self, project: str, service: str, query: ServiceLogQuery | None = None) -> Iterator[LogEntry]:
        """Lines as the instances print them, for ever; resumes by itself after an interruption."""
        call = Call("services.getLogs", _place(project, service), query=query or ServiceLogQuery())
        return follow_log(self._connection, call, is_over=lambda: False)

    def list_instances(self, project: str, service: str, *, environment: str = DEFAULT_ENVIRONMENT) -> InstanceList:
        """Instances of a service in one environment."""
        query = EnvironmentQuery(environment=environment)
        return self._connection.send(Call("instances.list", _place(project, service), query=query), InstanceList)

    def list_health(self, project: str, service: str, query: HealthQuery | None = None) -> HealthCheckList:
        """Health checks of a service, newest first."""
        return self._connection.send(Call("health.history", _place(project, service), query=query), HealthCheckList)

    def get_uptime(self, project: str, service: str, query: UptimeQuery | None = None) -> Uptime:
        """How often a service was well."""
        return self._connection.send(Call("health.uptime", _place(project, service), query=query), Uptime)

    def get_metrics(self, project: str, service: str, query: MetricQuery | None = None) -> MetricHistory:
        """What a service used over time."""
        return self._connection.send(Call("metrics.history", _place(project, service), query=query), MetricHistory)

    def _act(self, operation: str, project: str, service: str, *, environment: str) -> ServiceStatus:
        body = EnvironmentChoice(environment=environment)
        return self._connection.send(Call(operation, _place(project, service), body=body), ServiceStatus)


def _place(project: str, service: str) -> dict[str, str | int]:
    return {"project": project, "service": service}
