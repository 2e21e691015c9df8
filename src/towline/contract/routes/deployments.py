"""Operations of deployments."""

from typing import Final

from towline.contract.deployments import (
    Deployment,
    DeploymentChanges,
    DeploymentList,
    DeploymentQuery,
    DeploymentRollback,
    DeploymentTrigger,
)
from towline.contract.logs import NDJSON_MEDIA_TYPE, LogPage, LogQuery
from towline.contract.operations import Operation, accept, read

BUNDLE_MEDIA_TYPE: Final = "application/zstd"

_DEPLOYMENT: Final = "/deployments/{deployment}"

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
        summary="Roll back to a release, without a build",
    ),
    read("deployments.getStatus", _DEPLOYMENT, needs="view_projects", gives=Deployment, summary="Show a deployment"),
    read(
        "deployments.getChanges",
        f"{_DEPLOYMENT}/changes",
        needs="view_projects",
        gives=DeploymentChanges,
        summary="Show what a deployment changes",
    ),
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
