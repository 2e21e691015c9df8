"""Showing a pusher the log of a deployment until its end, and what became of it."""

import asyncio
import contextlib
from contextlib import aclosing
from typing import Final

from sqlalchemy import select

from towline.actions.deployments.requests import cancel_deployment
from towline.actions.log_pages import LineChoice, follow_page, wait_until_final
from towline.actions.overview import addresses, to_urls
from towline.actions.platform import Platform
from towline.errors import Conflict, TimedOut, Unavailable
from towline.models.deployments import Deployment
from towline.storage.base import Say
from towline.values import DeploymentStatus

_RETRY_SECONDS: Final = 0.5


async def follow_deployment(platform: Platform, deployment_id: str, say: Say) -> bool:
    """Say every line of its log until it has ended; whether it was a success.

    What takes longer than pushes may is cancelled, so that what is live and what was let in stay the same.
    """
    limit = platform.settings.push_timeout
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await _follow(platform, deployment_id, say)
    except TimeoutError as error:
        await _cancel(platform, deployment_id)
        raise TimedOut(
            f"The deployment took longer than {limit.total_seconds():g} s and is cancelled.",
            hint="Push again, or ask for a longer `push_timeout`.",
        ) from error
    return await _tell_end(platform, deployment_id, say)


async def _follow(platform: Platform, deployment_id: str, say: Say) -> None:
    last, is_over = 0, asyncio.Event()
    watching = asyncio.create_task(_set_when_final(platform, deployment_id, is_over), name=f"end of {deployment_id}")
    try:
        while True:
            # PostgreSQL or Redis may be away for a while; the worker carries on afterwards, and so does the pusher.
            with contextlib.suppress(Unavailable):
                choice = LineChoice(first=last + 1)
                async with aclosing(follow_page(platform, deployment_id, choice, is_over=is_over)) as batches:
                    async for lines in batches:
                        for line in lines:
                            await say(line["message"])
                        last = lines[-1]["sequence"]
                return
            await asyncio.sleep(_RETRY_SECONDS)
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _set_when_final(platform: Platform, deployment_id: str, is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        with contextlib.suppress(Unavailable):
            await wait_until_final(platform, deployment_id)
            is_over.set()
            return
        await asyncio.sleep(_RETRY_SECONDS)


async def _cancel(platform: Platform, deployment_id: str) -> None:
    async with platform.database.transaction() as work:
        deployment = await work.session.get_one(Deployment, deployment_id, with_for_update=True)
        with contextlib.suppress(Conflict):
            await cancel_deployment(platform, work, deployment)


async def _tell_end(platform: Platform, deployment_id: str, say: Say) -> bool:
    query = select(Deployment, addresses(Deployment.workload_id)).where(Deployment.id == deployment_id)
    async with platform.database.transaction() as work:
        deployment, routes = (await work.session.execute(query)).one()
    if deployment.status == DeploymentStatus.SUCCESS:
        await say(f"Deployment {deployment.number} is live.")
        for url in to_urls(platform, routes):
            await say(f"  {url}")
        return True
    reason = (deployment.error or {}).get("message") or deployment.queue_reason
    await say(f"Deployment {deployment.number} ended as {deployment.status}{f': {reason}' if reason else ''}")
    await say("The push is refused: no branch was moved, and what was live goes on running.")
    return False
