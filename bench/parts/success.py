"""A bench measures deployments that succeed; one that does not ends it with the deployment's own words."""

from tests.running import RunningTowline

from towline.contract.deployments import Deployment
from towline.contract.logs import LogQuery


def check_success(towline: RunningTowline, deployment: Deployment) -> None:
    """Fail with the reason and the last lines of the log unless the deployment succeeded."""
    if deployment.error is None:
        return
    lines = towline.client.deployments.get_logs(deployment.id, LogQuery(tail=30)).items
    log = "\n".join(line.message for line in lines)
    raise AssertionError(f"Deployment {deployment.number} of {deployment.service}: {deployment.error.message}\n{log}")
