"""What the tests ask git sources for, and how they look at the answer."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from towline.sources.base import FetchRequest
from towline.storage.local import LocalStorage

SECRET = "s3cr3t-t0ken-of-the-shop"


def a_request(url: str, ref: str = "", **config: object) -> FetchRequest:
    return FetchRequest(config={"url": url, **config}, ref=ref, allows_local=True, timeout=timedelta(seconds=20))


def paths_in(tree: Path) -> set[str]:
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


async def fetched_paths(storage: LocalStorage, digest: str) -> set[str]:
    async with storage.open_bundle(digest) as tree:
        return paths_in(tree)


def command_lines() -> Sequence[str]:
    """What any user of this machine sees in the list of processes."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().decode(errors="replace").replace("\0", " "))
    return found


async def wait_until(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(is_true):  # noqa: ASYNC110 - it happens in other processes
            await asyncio.sleep(0.02)
