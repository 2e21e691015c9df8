"""Calls about deployments, and waiting for one to end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2

from towline.client.connection import Call, Connection
from towline.client.logs import follow_log
from towline.contract.deployments import (
    Deployment,
    DeploymentChanges,
    DeploymentList,
    DeploymentQuery,
    DeploymentRollback,
    DeploymentTrigger,
)
from towline.contract.logs import LogEntry, LogPage, LogQuery

_DOWNLOAD_CHUNK: Final = 256 * 1024


class Deployments:
    """Deployments, by id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def trigger(self, request: DeploymentTrigger, *, idempotency_key: str | None = None) -> Deployment:
        """Ask for a deployment of the service named in the request."""
        call = Call("deployments.trigger", body=request, idempotency_key=idempotency_key)
        return self._connection.send(call, Deployment)

    def list(self, query: DeploymentQuery | None = None) -> DeploymentList:
        """One page of deployments, newest first."""
        return self._connection.send(Call("deployments.list", query=query), DeploymentList)

    def get_status(self, deployment: str) -> Deployment:
        """A deployment, or NotFound."""
        return self._connection.send(Call("deployments.getStatus", {"deployment": deployment}), Deployment)

    def get_changes(self, deployment: str) -> DeploymentChanges:
        """What a deployment changes, held against the release that served before it."""
        return self._connection.send(Call("deployments.getChanges", {"deployment": deployment}), DeploymentChanges)

    def get_logs(self, deployment: str, query: LogQuery | None = None) -> LogPage:
        """Lines of a deployment's log."""
        return self._connection.send(Call("deployments.getLogs", {"deployment": deployment}, query=query), LogPage)

    def follow_logs(self, deployment: str, query: LogQuery | None = None) -> Iterator[LogEntry]:
        """Lines as they are written, until the deployment is final; from the first one unless the query says more."""
        call = Call("deployments.getLogs", {"deployment": deployment}, query=query or LogQuery(since="1"))
        return follow_log(self._connection, call, is_over=lambda: self.get_status(deployment).status.is_final)

    def cancel(self, deployment: str) -> Deployment:
        """Ask for the deployment to stop."""
        return self._connection.send(Call("deployments.cancel", {"deployment": deployment}), Deployment)

    def rollback(self, request: DeploymentRollback, *, idempotency_key: str | None = None) -> Deployment:
        """Roll back to a release; the answer is the new deployment that does it."""
        call = Call("deployments.rollback", body=request, idempotency_key=idempotency_key)
        return self._connection.send(call, Deployment)

    def download_bundle(self, deployment: str, target: Path) -> int:
        """Write the source of a deployment (tar.zst) to a file; the number of bytes."""
        call = Call("bundles.download", {"deployment": deployment})
        timeout = httpx2.Timeout(60)
        with (
            self._connection.stream(call, headers={"Accept": call.spec.media_type}, timeout=timeout) as response,
            target.open("wb") as file,
        ):
            return sum(file.write(chunk) for chunk in response.iter_bytes(_DOWNLOAD_CHUNK))
