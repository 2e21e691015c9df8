"""Share links: an address for each host of an environment that lets whoever has it visit that host."""

import secrets
from collections.abc import Sequence

from sqlalchemy import select

from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.protection.passes import share_secret_context
from towline.actions.routes import route_url
from towline.errors import Conflict
from towline.infra.database import Work
from towline.models.projects import Environment
from towline.models.services import Route, Workload

SHARE_PATH = "/_towline/share/"
_BYTES = 32
_MOST = 100


async def create_share_link(platform: Platform, work: Work, environment: Environment) -> Sequence[str]:
    """A new link for each host, in place of all earlier ones; Conflict where links open nothing."""
    if environment.protection != "link":
        raise Conflict(
            f"{environment.name} is not protected by a share link.", hint="Set its protection to `link` first."
        )
    query = (
        select(Route)
        .join(Workload, Workload.id == Route.workload_id)
        .where(Workload.environment_id == environment.id, Route.path_prefix == "/")
        .order_by(Route.host)
        .limit(_MOST)
    )
    routes = (await work.session.scalars(query)).all()
    if not routes:
        raise Conflict(f"{environment.name} has no host yet that could be shared.", hint="Deploy a web service first.")
    secret = secrets.token_urlsafe(_BYTES)
    environment.share_secret = platform.secrets.seal(secret, context=share_secret_context(environment))
    _tell(platform, work, environment)
    return [
        f"{route_url(platform, host=route.host, certificate=route.certificate)}{SHARE_PATH}{secret}" for route in routes
    ]


async def delete_share_link(platform: Platform, work: Work, environment: Environment) -> None:
    """Make every link worthless that was given so far, with all passes that were had by it."""
    environment.share_secret = None
    _tell(platform, work, environment)


def _tell(platform: Platform, work: Work, environment: Environment) -> None:
    data = {"environment": environment.name, "environmentId": environment.id}
    emit(platform, work, "environment.updated", project_id=environment.project_id, data=data)
