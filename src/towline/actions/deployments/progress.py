"""How a deployment's change of state is told: one event in the founding document's form."""

from typing import Any, Final

from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.infra.database import Work
from towline.models.deployments import Deployment
from towline.values import DeploymentStatus, Step

_PERCENT: Final = {
    Step.WAIT: 0,
    Step.FETCH: 10,
    Step.BUILD: 25,
    Step.RELEASE_COMMAND: 55,
    Step.START: 60,
    Step.HEALTH: 70,
    Step.SWITCH: 85,
    Step.RETIRE: 95,
    Step.DONE: 100,
}


def event_type(deployment: Deployment) -> str:
    """`deployment.completed` for success, `failed` for the other ends, `started` once claimed, else `progress`."""
    status = DeploymentStatus(deployment.status)
    if status is DeploymentStatus.SUCCESS:
        return "deployment.completed"
    if status.is_final:
        return "deployment.failed"
    is_first = status is DeploymentStatus.BUILDING and deployment.step == Step.WAIT and deployment.attempt == 1
    return "deployment.started" if is_first else "deployment.progress"


def emit_progress(platform: Platform, work: Work, deployment: Deployment) -> None:
    """Add the event of a deployment's present state to the transaction."""
    data: dict[str, Any] = {
        "status": deployment.status,
        "step": deployment.step,
        "progress": _PERCENT[Step(deployment.step)],
        "number": deployment.number,
        "message": deployment.queue_reason or _message(deployment),
    }
    if deployment.group_id is not None:
        data["group"] = deployment.group_id
    if deployment.error is not None:
        data["error"] = deployment.error.get("message", "")
    emit(
        platform,
        work,
        event_type(deployment),
        project_id=deployment.project_id,
        service_id=deployment.service_id,
        deployment_id=deployment.id,
        data=data,
    )


def _message(deployment: Deployment) -> str:
    if DeploymentStatus(deployment.status).is_final:
        return f"Deployment {deployment.number}: {deployment.status}"
    return f"Deployment {deployment.number}: {deployment.step.replace('_', ' ')}"
