"""Where a git platform keeps the commits of the pull request that a deployment is a preview of."""

from towline.actions.connections.administration import find_host_api
from towline.actions.deployments.job import Job
from towline.actions.platform import Platform
from towline.actions.repositories import repository_of
from towline.actions.sharing import find_preview_of
from towline.infra.database import Work
from towline.models.deployments import Deployment
from towline.models.hooks import Hook


async def find_request_ref(platform: Platform, work: Work, job: Job, deployment: Deployment) -> str:
    """The ref in the repository that the request was made to; empty when there is no request, or none of its ref."""
    preview = await find_preview_of(work, job.environment)
    if preview is None or preview.number is None or preview.hook_id is None:
        return ""
    hook = await work.session.get(Hook, preview.hook_id)
    if hook is None or repository_of(deployment.source_config) != hook.repository:
        return ""
    api = find_host_api(platform, hook.source_type)
    return "" if api is None else api.request_ref.format(number=preview.number)
