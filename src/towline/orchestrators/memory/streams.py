"""What goes in and out of stand-in instances and volumes."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

from towline.errors import CommandFailed, NotFound
from towline.orchestrators.base import Orchestrator
from towline.values import Instance

_LONGEST_SECONDS = 3600.0


class MemoryStreams(Orchestrator):
    """Keeps the content of volumes and of what was fed to commands; `MemoryOrchestrator` is the whole.

    Known besides those of `execute`: `yes-bytes N` writes N bytes, `swallow` reads its input, which `fed` holds.
    """

    def __init__(self) -> None:
        self.volumes: dict[str, bytes] = {}
        self.fed: dict[str, bytes] = {}

    @abstractmethod
    def check_volume_is_free(self, name: str) -> None:
        """Conflict while an instance has the volume."""

    async def read_command(self, instance: Instance, command: Sequence[str]) -> AsyncGenerator[bytes]:
        match command:
            case ["yes-bytes", count]:
                for _ in range(int(count) // 1024):
                    yield b"y" * 1024
                    await asyncio.sleep(0)
                yield b"y" * (int(count) % 1024)
            case _:
                code, output = await self.execute(instance, command, timeout_seconds=_LONGEST_SECONDS)
                if code != 0:
                    raise CommandFailed(f"{command[0]} ended with exit code {code}: {output.strip()}")
                yield output.encode()

    async def feed_command(
        self, instance: Instance, command: Sequence[str], chunks: AsyncIterator[bytes]
    ) -> tuple[int, str]:
        if list(command) != ["swallow"]:
            return await self.execute(instance, command, timeout_seconds=_LONGEST_SECONDS)
        self.fed[instance.workload_id] = b"".join([chunk async for chunk in chunks])
        return 0, ""

    async def read_volume(self, volume: str, *, image: str) -> AsyncGenerator[bytes]:
        del image
        if volume not in self.volumes:
            raise NotFound(f"There is no volume {volume}.")
        yield self.volumes[volume]

    async def write_volume(self, volume: str, chunks: AsyncIterator[bytes], *, image: str) -> None:
        del image
        self.check_volume_is_free(volume)
        self.volumes[volume] = b"".join([chunk async for chunk in chunks])

    async def remove_volume(self, name: str) -> None:
        self.check_volume_is_free(name)
        self.volumes.pop(name, None)

    async def list_volumes(self, *, timeout_seconds: float) -> Mapping[str, int | None]:
        del timeout_seconds
        return {name: len(content) for name, content in self.volumes.items()}
