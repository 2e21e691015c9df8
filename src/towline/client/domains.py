"""Calls about the hosts and paths of a service."""

from towline.client.connection import Call, Connection
from towline.contract.base import DEFAULT_ENVIRONMENT, EnvironmentQuery
from towline.contract.domains import Route, RouteCreate, RouteList


class Routes:
    """Routes; `project` and `service` are ids or names."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str, service: str, *, environment: str = DEFAULT_ENVIRONMENT) -> RouteList:
        """Routes of a service in one environment."""
        path: dict[str, str | int] = {"project": project, "service": service}
        query = EnvironmentQuery(environment=environment)
        return self._connection.send(Call("routes.list", path, query=query), RouteList)

    def create(self, project: str, service: str, route: RouteCreate) -> Route:
        """Add a custom domain; Conflict when another service has it."""
        path: dict[str, str | int] = {"project": project, "service": service}
        return self._connection.send(Call("routes.create", path, body=route), Route)

    def delete(self, project: str, service: str, route: str) -> None:
        """Remove a custom domain."""
        self._connection.run(Call("routes.delete", {"project": project, "service": service, "route": route}))
