"""Calls about runs of cron services."""

import time
from collections.abc import Iterator
from typing import Final

from towline.client.connection import Call, Connection
from towline.client.logs import follow_log
from towline.contract.base import DEFAULT_ENVIRONMENT
from towline.contract.logs import LogEntry, LogPage, LogQuery
from towline.contract.runs import Run, RunList, RunQuery
from towline.contract.services import EnvironmentChoice

_LOOK_SECONDS: Final = 0.2


class Runs:
    """Runs; `project` and `service` are ids or names, `run` is an id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str, service: str, query: RunQuery | None = None) -> RunList:
        """One page of the runs of a service in one environment, the latest first."""
        return self._connection.send(Call("runs.list", _place(project, service), query=query), RunList)

    def get(self, project: str, service: str, run: str) -> Run:
        """A run, or NotFound."""
        return self._connection.send(Call("runs.get", _place(project, service, run)), Run)

    def run_now(self, project: str, service: str, *, environment: str = DEFAULT_ENVIRONMENT) -> Run:
        """Run what is deployed now; Conflict while another run has not ended."""
        body = EnvironmentChoice(environment=environment)
        return self._connection.send(Call("services.runNow", _place(project, service), body=body), Run)

    def cancel(self, project: str, service: str, run: str) -> Run:
        """End a run; Conflict for one that has ended."""
        return self._connection.send(Call("runs.cancel", _place(project, service, run)), Run)

    def get_logs(self, project: str, service: str, run: str, query: LogQuery | None = None) -> LogPage:
        """Lines that a run printed."""
        return self._connection.send(Call("runs.getLogs", _place(project, service, run), query=query), LogPage)

    def follow_logs(self, project: str, service: str, run: str, query: LogQuery | None = None) -> Iterator[LogEntry]:
        """Lines as a run prints them, until it has ended; resumes by itself after an interruption."""
        call = Call("runs.getLogs", _place(project, service, run), query=query or LogQuery(since="1"))
        return follow_log(self._connection, call, is_over=lambda: self.get(project, service, run).status.is_final)

    def wait(self, project: str, service: str, run: str) -> Run:
        """The run once it has ended."""
        while not (found := self.get(project, service, run)).status.is_final:
            time.sleep(_LOOK_SECONDS)
        return found


def _place(project: str, service: str, run: str | None = None) -> dict[str, str | int]:
    return {"project": project, "service": service, **({"run": run} if run is not None else {})}
