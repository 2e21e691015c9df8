"""Containers that are instances: started in parallel, listed, stopped, removed."""

import asyncio
import contextlib
import json
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from towline.errors import Conflict, EngineRefused, NotFound, OrchestratorUnavailable, TowlineError
from towline.names import instance_name, new_id
from towline.orchestrators.docker.addresses import IN_USE, choose_addresses
from towline.orchestrators.docker.engine import Document, Engine
from towline.orchestrators.docker.files import put_files
from towline.orchestrators.docker.payloads import (
    INSTANCE_LABEL,
    OWNER_LABEL,
    RELEASE_LABEL,
    WORKLOAD_LABEL,
    container_payload,
    instance_labels,
)
from towline.orchestrators.docker.states import instance_from_inspection, instance_from_listing
from towline.values import Instance, InstanceState, RunSpec

Result = TypeVar("Result")

_REMOVAL_SECONDS: Final = 60.0
_KILL_SECONDS: Final = 30.0
"""How long the Engine may take beyond the grace."""

_ADDRESS_TRIES: Final = 10


class Instances:
    """The instances of one installation on one Engine."""

    def __init__(self, engine: Engine, *, installation_id: str) -> None:
        self._engine = engine
        self._installation_id = installation_id

    async def start_new(self, spec: RunSpec, *, count: int) -> tuple[Instance, ...]:
        """Create and start `count` instances in parallel; on an error or a cancel none of them stays."""
        addresses = spec.addresses[:count] or await self._choose_addresses(spec, count=count)
        tasks = [asyncio.create_task(self._start_one(spec, address)) for address in addresses]
        try:
            return tuple(await asyncio.gather(*tasks))
        except BaseException:
            await undisturbed(self._undo(tasks))
            raise

    async def scale(self, spec: RunSpec, *, replicas: int) -> tuple[Instance, ...]:
        """Exactly `replicas` running instances of the release, oldest first; exited ones are left alone."""
        rows = await self._list(f"{WORKLOAD_LABEL}={spec.workload_id}", f"{RELEASE_LABEL}={spec.release_id}")
        running = [instance for instance in rows if instance.state is InstanceState.RUNNING]
        surplus = running[replicas:]
        grace = spec.stop_grace.total_seconds()
        await asyncio.gather(*(self.remove(instance, grace_seconds=grace) for instance in surplus))
        started = await self.start_new(spec, count=max(0, replicas - len(running)))
        return (*running[:replicas], *started)

    async def list_all(self) -> Sequence[Instance]:
        """Every instance of the installation, oldest first, from one request."""
        return await self._list()

    async def list_of_workload(self, workload_id: str) -> tuple[Instance, ...]:
        """Every instance of the workload with all that is known of each, oldest first."""
        listed = await self._list(f"{WORKLOAD_LABEL}={workload_id}")
        found = await asyncio.gather(*(self.find(instance) for instance in listed))
        return tuple(instance for instance in found if instance is not None)

    async def get(self, engine_id: str) -> Instance:
        """The instance as it is now; NotFound when it is gone."""
        return instance_from_inspection(await self._engine.call("GET", f"containers/{engine_id}/json"))

    async def find(self, instance: Instance) -> Instance | None:
        """The instance as it is now, None when it is gone."""
        try:
            return await self.get(instance.engine_id)
        except NotFound:
            return None

    async def keep_running(self, instance: Instance) -> None:
        """Let the Engine itself start the instance again after a crash or a reboot."""
        body = {"RestartPolicy": {"Name": "unless-stopped"}}
        with contextlib.suppress(NotFound):
            await self._engine.call("POST", f"containers/{instance.engine_id}/update", body=body)

    async def start(self, instance: Instance) -> Instance:
        """Start a stopped instance; return it with its new address."""
        await self._engine.call("POST", f"containers/{instance.engine_id}/start")
        return await self.get(instance.engine_id)

    async def restart(self, instance: Instance, *, grace_seconds: float) -> Instance:
        """Stop and start; return it with its new address."""
        await self._end("restart", instance.engine_id, grace_seconds)
        return await self.get(instance.engine_id)

    async def stop(self, instance: Instance, *, grace_seconds: float) -> None:
        """SIGTERM, SIGKILL after the grace; quiet when already stopped or gone."""
        with contextlib.suppress(NotFound):
            await self._end("stop", instance.engine_id, grace_seconds)

    async def remove(self, instance: Instance, *, grace_seconds: float) -> None:
        """Stop, then remove with anonymous volumes; quiet when already gone."""
        if grace_seconds > 0:
            await self.stop(instance, grace_seconds=grace_seconds)
        await remove_container(self._engine, instance.engine_id)

    async def _choose_addresses(self, spec: RunSpec, *, count: int) -> Sequence[str]:
        return await choose_addresses(self._engine, spec.network, count=count) or [""] * count

    async def _start_one(self, spec: RunSpec, address: str) -> Instance:
        for _ in range(_ADDRESS_TRIES):
            try:
                return await self._start_at(spec, address)
            except EngineRefused as error:
                if IN_USE not in error.message.lower():
                    raise
            (address,) = await self._choose_addresses(spec, count=1)
        raise OrchestratorUnavailable(f"No free address was found in {spec.network} in {_ADDRESS_TRIES} tries.")

    async def _start_at(self, spec: RunSpec, address: str) -> Instance:
        instance_id = new_id("ins")
        name = instance_name(
            project=spec.project,
            service=spec.service,
            environment=spec.environment,
            release_number=spec.release_number,
            instance_id=instance_id,
        )
        labels = instance_labels(spec, installation_id=self._installation_id, instance_id=instance_id)
        with_init = await self._engine.supports_init()
        payload = container_payload(spec, labels=labels, with_init=with_init, address=address)

        async def start(engine_id: str) -> Instance:
            await put_files(self._engine, engine_id, spec.files)
            return await self._start_and_get(engine_id)

        return await with_container(self._engine, name, payload, start)

    async def _start_and_get(self, engine_id: str) -> Instance:
        await self._engine.call("POST", f"containers/{engine_id}/start")
        return await self.get(engine_id)

    async def _undo(self, tasks: Sequence[asyncio.Task[Instance]]) -> None:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        started = [outcome for outcome in outcomes if isinstance(outcome, Instance)]
        await asyncio.gather(*(remove_container(self._engine, instance.engine_id) for instance in started))

    async def _list(self, *labels: str) -> tuple[Instance, ...]:
        wanted = [f"{OWNER_LABEL}={self._installation_id}", INSTANCE_LABEL, *labels]
        rows = await list_containers(self._engine, wanted)
        return tuple(sorted((instance_from_listing(row) for row in rows), key=lambda instance: instance.id))

    async def _end(self, verb: str, engine_id: str, grace_seconds: float) -> None:
        await self._engine.call(
            "POST",
            f"containers/{engine_id}/{verb}",
            params={"t": str(math.ceil(grace_seconds))},
            timeout_seconds=grace_seconds + _KILL_SECONDS,
        )


async def list_containers(engine: Engine, labels: Sequence[str]) -> list[Document]:
    """Rows of every container, running or not, that carries all of `labels`."""
    params = {"all": "1", "filters": json.dumps({"label": list(labels)})}
    rows: list[Document] = await engine.call("GET", "containers/json", params=params)
    return rows


async def with_container(
    engine: Engine, name: str, payload: Document, use: Callable[[str], Awaitable[Result]]
) -> Result:
    """Create a container and pass its id to `use`; when that fails or is cancelled the container goes."""
    creation = asyncio.create_task(engine.call("POST", "containers/create", params={"name": name}, body=payload))
    try:
        created: Document = await asyncio.shield(creation)
        return await use(created["Id"])
    except BaseException:
        await undisturbed(discard_container(engine, creation))
        raise


async def undisturbed(work: Coroutine[Any, Any, None]) -> None:
    """Finish a clean-up through any cancel, which is raised afterwards; the reason for cleaning up is the caller's.

    Where the engine is lost meanwhile the sweep finds what stays.
    """
    task = asyncio.create_task(work)
    was_cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            was_cancelled = True
        except TowlineError:
            break
    if was_cancelled:
        raise asyncio.CancelledError


async def discard_container(engine: Engine, creation: asyncio.Task[Document]) -> None:
    """Remove the container that `creation` makes, once it is made: the Engine finishes what was asked for."""
    outcome = (await asyncio.gather(creation, return_exceptions=True))[0]
    if not isinstance(outcome, BaseException):
        await remove_container(engine, outcome["Id"])


async def remove_container(engine: Engine, engine_id: str) -> None:
    """Kill and remove a container with its anonymous volumes; return once it is gone."""
    with contextlib.suppress(NotFound):
        try:
            await engine.call(
                "DELETE", f"containers/{engine_id}", params={"force": "1", "v": "1"}, timeout_seconds=_REMOVAL_SECONDS
            )
        except Conflict:  # somebody else is removing it at this moment
            await engine.call(
                "POST",
                f"containers/{engine_id}/wait",
                params={"condition": "removed"},
                timeout_seconds=_REMOVAL_SECONDS,
            )
