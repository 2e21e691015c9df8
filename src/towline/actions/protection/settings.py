"""What an environment is set to: when it falls asleep, and who may visit it."""

from typing import Final

from towline.actions.deletion import publish_soon
from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.actions.sleep import ask_for
from towline.errors import Conflict
from towline.infra.database import Work
from towline.models.projects import Environment

_MODE_HINT: Final = "Use Towline's own Traefik, or guard the app itself."


async def set_sleep(platform: Platform, work: Work, environment: Environment, sleeps_after: int | None) -> None:
    """Let an environment fall asleep after so many seconds in which nobody asks for it; None: never."""
    check_doors(platform, sleeps_after=sleeps_after)
    if environment.sleeps_after == sleeps_after:
        return
    environment.sleeps_after = sleeps_after
    if sleeps_after is None:
        await ask_for(platform, work, environment.id)
    _tell(platform, work, environment)


def set_protection(platform: Platform, work: Work, environment: Environment, protection: str) -> None:
    """Say who may visit an environment: everybody (`none`), members (`sign_in`), or whoever has its link too."""
    check_doors(platform, protection=protection)
    if environment.protection == protection:
        return
    environment.protection = protection
    if protection != "link":
        environment.share_secret = None
    publish_soon(platform, work, [environment.id])
    _tell(platform, work, environment)


def check_doors(platform: Platform, *, sleeps_after: int | None = None, protection: str = "none") -> None:
    """Conflict where requests do not come by Towline, so that nothing could be woken or guarded."""
    if platform.router.has_doors:
        return
    if sleeps_after is not None:
        raise Conflict("In labels mode nothing can be woken by a request, so nothing sleeps.")
    if protection != "none":
        raise Conflict("In labels mode Towline cannot guard a route.", hint=_MODE_HINT)


def _tell(platform: Platform, work: Work, environment: Environment) -> None:
    data = {"environment": environment.name, "environmentId": environment.id}
    emit(platform, work, "environment.updated", project_id=environment.project_id, data=data)
