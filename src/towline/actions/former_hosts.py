"""Former addresses of Towline itself: kept from apps as long as they lead here, listed, retired."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from towline.actions.access import Caller
from towline.actions.audit import record
from towline.actions.platform import Platform
from towline.errors import NotFound, TowlineError
from towline.infra.contents import disk_errors
from towline.infra.former_hosts import FormerHost
from towline.models.base import utc_now

_ACTION: Final = "platform.retireFormerHost"
_log = logging.getLogger(__name__)


def is_own_host(platform: Platform, host: str) -> bool:
    """Whether a host leads to Towline itself, now or still, so that no app may have it."""
    return host in platform.settings.own_hosts or platform.former_hosts.has(host)


def list_former_hosts(platform: Platform) -> Sequence[FormerHost]:
    """All of them, the one that was left last first; never more than five."""
    return platform.former_hosts.list_hosts()


async def retire_former_host(platform: Platform, caller: Caller, host: str) -> None:
    """Let a former host lead here no more, so that an app may have it; NotFound when it does not lead here any more."""
    is_there = platform.former_hosts.has(host)
    if is_there:
        async with platform.database.transaction() as work:
            record(work, caller, _ACTION, object_id=platform.settings.installation_id, detail={"host": host})
        with disk_errors("Forgetting the address"):
            await asyncio.to_thread(platform.former_hosts.retire, host)
    await platform.router.publish_platform()  # also when it is gone already: the call before may have died here
    if not is_there:
        raise NotFound(
            f"{host[:253]} is no former address of Towline.", hint="List them with `towline domains former`."
        )


async def note_use(platform: Platform, host: str) -> None:
    """Note that a program used a former host; now and then, and never to the harm of what it wanted."""
    now = utc_now()
    if platform.former_hosts.is_worth_noting(host, now=now):
        with suppress(OSError, TowlineError):
            await asyncio.to_thread(platform.former_hosts.note_use, host, now=now)


async def keep_former_host(platform: Platform) -> None:
    """Notice that Towline has moved since it last started, and keep its host of before."""
    try:
        await asyncio.to_thread(platform.former_hosts.move)
    except (OSError, TowlineError) as error:
        _log.warning("Where Towline was before could not be kept: %s", error)
