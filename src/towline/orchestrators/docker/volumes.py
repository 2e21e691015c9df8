"""Volumes: listed with their size, read and written as tar archives through containers that are never started."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Final

from towline.errors import OrchestratorUnavailable
from towline.names import new_id
from towline.orchestrators.docker.engine import Document, Engine, section
from towline.orchestrators.docker.instances import list_containers, remove_container, undisturbed
from towline.orchestrators.docker.networks import remove_volume
from towline.orchestrators.docker.payloads import OWNER_LABEL

VOLUME_LABEL: Final = "towline.volume"
_FOLDER: Final = "/towline"
_MOUNT: Final = f"{_FOLDER}/content"
_OLDEST_SECONDS: Final = 6 * 3600
"""No copy takes longer: an older container was left behind by a process that died."""


async def list_volumes(engine: Engine, *, installation_id: str, timeout_seconds: float) -> Mapping[str, int | None]:
    """The installation's volumes with their bytes; the Engine counts them anew each time, which may take too long."""
    answer: Document = await engine.call("GET", "volumes")
    names = [str(row["Name"]) for row in _rows(answer) if _is_own(row, installation_id)]
    try:
        usage: Document = await engine.call(
            "GET", "system/df", params={"type": "volume"}, timeout_seconds=timeout_seconds
        )
    except OrchestratorUnavailable:
        return dict.fromkeys(names)
    sizes = {str(row["Name"]): int(section(row, "UsageData").get("Size", -1)) for row in _rows(usage)}
    return {name: sizes[name] if sizes.get(name, -1) >= 0 else None for name in names}


async def read_volume(engine: Engine, volume: str, *, image: str, installation_id: str) -> AsyncGenerator[bytes]:
    """A volume's content as a tar archive, read while it may be in use."""
    await engine.call("GET", f"volumes/{volume}")
    await _remove_copiers(engine, volume, installation_id=installation_id, older_than=_OLDEST_SECONDS)
    engine_id = await _create(engine, volume, image=image, installation_id=installation_id)
    try:
        params = {"path": _MOUNT}
        async with engine.stream("GET", f"containers/{engine_id}/archive", params=params) as response:
            async for chunk in response.content.iter_any():
                yield chunk
    finally:
        await undisturbed(remove_container(engine, engine_id))


async def write_volume(
    engine: Engine, volume: str, chunks: AsyncIterator[bytes], *, image: str, installation_id: str
) -> None:
    """Make the volume anew and unpack the archive into it."""
    await delete_volume(engine, volume, installation_id=installation_id)
    engine_id = await _create(engine, volume, image=image, installation_id=installation_id)
    try:
        path = f"containers/{engine_id}/archive"
        async with engine.stream("PUT", path, params={"path": _FOLDER}, content=chunks) as response:
            await response.read()
    finally:
        await undisturbed(remove_container(engine, engine_id))


async def delete_volume(engine: Engine, volume: str, *, installation_id: str) -> None:
    """Remove a volume for good; Conflict while an instance has it."""
    await _remove_copiers(engine, volume, installation_id=installation_id, older_than=0)
    await remove_volume(engine, volume)


async def _create(engine: Engine, volume: str, *, image: str, installation_id: str) -> str:
    """A container with the volume that holds nothing of the image's own there; its id."""
    body: Document = {
        "Image": image,
        "Cmd": ["-"],
        "NetworkDisabled": True,
        "Labels": {"traefik.enable": "false", OWNER_LABEL: installation_id, VOLUME_LABEL: volume},
        "HostConfig": {
            "NetworkMode": "none",
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": volume,
                    "Target": _MOUNT,
                    "VolumeOptions": {"NoCopy": True, "Labels": {OWNER_LABEL: installation_id}},
                }
            ],
        },
    }
    name = f"towline-volume-{new_id('cpy')[-12:]}"
    created: Document = await engine.call("POST", "containers/create", params={"name": name}, body=body)
    return str(created["Id"])


async def _remove_copiers(engine: Engine, volume: str, *, installation_id: str, older_than: float) -> None:
    rows = await list_containers(engine, [f"{OWNER_LABEL}={installation_id}", f"{VOLUME_LABEL}={volume}"])
    for row in rows:
        if time.time() - row["Created"] >= older_than:
            await remove_container(engine, row["Id"])


def _rows(answer: Document) -> list[Document]:
    rows: list[Document] | None = answer.get("Volumes")
    return rows or []


def _is_own(row: Document, installation_id: str) -> bool:
    return section(row, "Labels").get(OWNER_LABEL) == installation_id
