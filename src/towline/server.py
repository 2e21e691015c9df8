"""API and worker in one process and one event loop: the usual way on one machine."""

import asyncio
import os
import signal
from collections.abc import Sequence

import uvloop

from towline.actions.platform import Platform
from towline.config import Settings
from towline.infra.collection import spare_what_stays
from towline.web.serve import make_server, serve
from towline.wiring import open_platform, start_logging
from towline.worker import Worker

_STOP_SECONDS = 18.0


def main(arguments: Sequence[str]) -> int:
    """`python -m towline internal server`: the exit code."""
    del arguments  # everything comes by TOWLINE_… variables
    uvloop.run(_main())
    return 0


async def _main() -> None:
    settings = Settings.from_environment(os.environ)
    start_logging(settings)
    async with open_platform(settings, pool_size=8) as platform:
        await run_both(platform)


async def run_both(platform: Platform) -> None:
    """Serve and work until SIGTERM or SIGINT; a defect in either ends both, for the supervisor to start anew."""
    server = make_server(platform)
    spare_what_stays()
    worker = asyncio.create_task(Worker(platform).run(), name="worker")
    api = asyncio.create_task(serve(platform, server), name="api")

    def stop() -> None:
        server.stop()
        worker.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    done, _ = await asyncio.wait({worker, api}, return_when=asyncio.FIRST_COMPLETED)
    stop()
    await asyncio.wait({worker, api}, timeout=_STOP_SECONDS)
    for task in done:
        if not task.cancelled():
            task.result()
