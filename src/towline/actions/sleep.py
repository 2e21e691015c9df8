"""Sleep of an environment, as its row says it, and what the other actions may do about it."""

from enum import StrEnum
from typing import Final

from sqlalchemy import update

from towline.actions.events import emit
from towline.actions.platform import Platform
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.projects import Environment

WAKE_BELL: Final = "wake"
SLEEPING: Final = "sleeping"
"""What is wanted of a workload whose environment sleeps."""

LIVE: Final = ("running", SLEEPING)
"""What is wanted of workloads that nobody has stopped."""


class Sleep(StrEnum):
    """Whether an environment sleeps. One that is waking is awake once all of it has been started, or has failed to."""

    AWAKE = "awake"
    ASLEEP = "asleep"
    WAKING = "waking"


async def ask_for(platform: Platform, work: Work, environment_id: str) -> None:
    """Have an environment woken where it sleeps."""
    now = utc_now()
    wake = (
        update(Environment)
        .where(Environment.id == environment_id, Environment.sleep == Sleep.ASLEEP, Environment.deleted_at.is_(None))
        .values(sleep=Sleep.WAKING.value, sleep_changed_at=now, last_asked_at=now)
        .returning(Environment.project_id, Environment.name)
        .execution_options(synchronize_session=False)
    )
    if (woken := (await work.session.execute(wake)).first()) is not None:
        tell(platform, work, Sleep.WAKING, project_id=woken.project_id, environment_id=environment_id, name=woken.name)
        work.after_commit(lambda: platform.bell.ring(WAKE_BELL))


def tell(platform: Platform, work: Work, sleep: Sleep, *, project_id: str, environment_id: str, name: str) -> None:
    """Emit the event of a change."""
    data = {"environment": name, "environmentId": environment_id, "status": sleep.value}
    emit(platform, work, f"environment.{sleep.value}", project_id=project_id, data=data)
