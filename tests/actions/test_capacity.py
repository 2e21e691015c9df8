"""Places to build: how they are shared out."""

import asyncio
from pathlib import Path

from towline.actions.capacity import BuildSlots
from towline.config import Settings


async def say_nothing(_reason: str) -> None:
    """Why a build waits is of no interest here."""


async def test_a_free_place_goes_to_the_project_that_builds_least(tmp_path: Path) -> None:
    settings = {"TOWLINE_MINIMUM_FREE_MEMORY_BYTES": "0", "TOWLINE_MINIMUM_FREE_DISK_BYTES": "0"}
    slots = BuildSlots(Settings.from_environment({**settings, "TOWLINE_DATA_DIR": str(tmp_path)}))
    begun: list[str] = []
    ends: dict[str, asyncio.Event] = {}

    async def build(name: str) -> None:
        async with slots.slot(say_nothing, project_id=name[0]):
            begun.append(name)
            await ends[name].wait()

    async def settle() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    names = ["a1", "a2", "a3", "a4", "b1"]
    ends.update((name, asyncio.Event()) for name in names)
    tasks = {name: asyncio.create_task(build(name)) for name in names}
    await settle()
    assert begun == ["a1", "a2"]

    tasks["a3"].cancel()
    ends["a1"].set()
    await settle()
    assert begun[2:] == ["b1"]

    ends["a2"].set()
    await settle()
    assert begun[3:] == ["a4"]
    for end in ends.values():
        end.set()
    await asyncio.wait(tasks.values())
    async with slots.slot(say_nothing, project_id="c"), slots.slot(say_nothing, project_id="c"):
        pass
