"""Calls about releases of a service."""

from towline.client.connection import Call, Connection
from towline.contract.base import DEFAULT_ENVIRONMENT
from towline.contract.deployments import Deployment
from towline.contract.releases import ReleaseList, ReleasePromote, ReleaseQuery


class Releases:
    """Releases; `project` and `service` are ids or names."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str, service: str, query: ReleaseQuery | None = None) -> ReleaseList:
        """One page of the releases of a service in one environment."""
        path: dict[str, str | int] = {"project": project, "service": service}
        return self._connection.send(Call("releases.list", path, query=query), ReleaseList)

    def promote(
        self,
        project: str,
        service: str,
        *,
        release: int,
        from_environment: str,
        to_environment: str = DEFAULT_ENVIRONMENT,
    ) -> Deployment:
        """Run a release of one environment in another, without a build."""
        body = ReleasePromote(from_environment=from_environment, to_environment=to_environment)
        path: dict[str, str | int] = {"project": project, "service": service, "release": release}
        return self._connection.send(Call("releases.promote", path, body=body), Deployment)
