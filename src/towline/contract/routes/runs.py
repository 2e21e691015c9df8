"""Operations of runs of cron services."""

from typing import Final

from towline.contract.logs import NDJSON_MEDIA_TYPE, LogPage, LogQuery
from towline.contract.operations import Operation, accept, read
from towline.contract.runs import Run, RunList, RunQuery
from towline.contract.services import EnvironmentChoice

_SERVICE: Final = "/projects/{project}/services/{service}"
_RUN: Final = f"{_SERVICE}/runs/{{run}}"

RUN_OPERATIONS: Final = (
    read(
        "runs.list",
        f"{_SERVICE}/runs",
        needs="view_projects",
        gives=RunList,
        query=RunQuery,
        summary="List runs of a cron service",
    ),
    read("runs.get", _RUN, needs="view_projects", gives=Run, summary="Show a run"),
    Operation(
        "runs.getLogs",
        "GET",
        f"{_RUN}/logs",
        "Read or follow what a run prints",
        "view_logs",
        query=LogQuery,
        response=LogPage,
        stream_media_type=NDJSON_MEDIA_TYPE,
    ),
    accept("runs.cancel", f"{_RUN}/cancel", gives=Run, summary="End a run"),
    accept("services.runNow", f"{_SERVICE}/run", takes=EnvironmentChoice, gives=Run, summary="Run a cron service now"),
)
