"""Waiting for one ring among many."""

import asyncio
import time

from towline.actions.platform import Platform


async def test_only_the_name_waited_for_ends_the_wait(platform: Platform) -> None:
    async with platform.bell.listen() as ringing:
        ringing.forget()  # the first look is due at once
        waiting = asyncio.create_task(ringing.wait_for("mail", timeout=60))
        for name in ("hooks", "events", "hooks"):
            await platform.bell.ring(name)
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
        await platform.bell.ring("mail")
        async with asyncio.timeout(20):
            await waiting


async def test_other_rings_do_not_put_off_the_look_that_is_due_anyway(platform: Platform) -> None:
    async with platform.bell.listen() as ringing, asyncio.timeout(20):
        ringing.forget()
        began_at = time.monotonic()
        waiting = asyncio.create_task(ringing.wait_for("mail", timeout=0.5))
        while not waiting.done():
            await platform.bell.ring("hooks")
            await asyncio.sleep(0.02)
        assert time.monotonic() - began_at >= 0.5
