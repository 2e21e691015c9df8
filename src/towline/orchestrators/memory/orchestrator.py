"""MemoryOrchestrator: keeps the interface's promises without an engine, for fast tests and for trying Towline out."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from towline.errors import (
    Conflict,
    ImageNotFound,
    InvalidInput,
    NotFound,
    OrchestratorUnavailable,
    SourceUnavailable,
)
from towline.names import instance_name, new_id
from towline.orchestrators.memory.commands import run_known
from towline.orchestrators.memory.networks import MemoryNetworks
from towline.orchestrators.memory.programs import Output, Program
from towline.orchestrators.memory.streams import MemoryStreams
from towline.values import (
    Credential,
    DeploymentResult,
    HealthStatus,
    Image,
    Instance,
    InstanceEvent,
    InstanceState,
    LogEntry,
    Report,
    ResourceUsage,
    RunSpec,
    ServiceStatus,
)


@dataclass(slots=True)
class _Slot:
    """One stand-in container."""

    spec: RunSpec
    instance: Instance
    output: Output
    program: Program
    is_kept: bool = False


class MemoryOrchestrator(MemoryStreams):
    """Instances are asyncio listeners, each on a 127.x.y.z address of its own.

    What an image's name contains says how its program behaves: `exits` (ends at once with code 3), `silent` (never
    listens), `loopback` (listens on localhost only), `other-port` (listens on 9999), `slow` (listens after 0.3 s),
    `unhealthy` (answers 500), `missing` (no such image), `unreachable` (its registry does not answer). Any other
    listens on the port of the specification (8080 by default) and answers 200 with service, release and instance.
    Commands known: `true`, `false`, `echo TEXT`, `sleep SECONDS`; others exit with 127.
    """

    kind = "memory"

    def __init__(self, *, installation_id: str = "memory", network_pool: str = "10.112.0.0/13") -> None:
        super().__init__()
        self._installation_id = installation_id
        self._slots: dict[str, _Slot] = {}
        self.networks = MemoryNetworks(network_pool)
        self._images: dict[str, Image] = {}
        self._followers: list[asyncio.Queue[InstanceEvent | None]] = []
        self._prefix = f"127.{16 + secrets.randbelow(230)}.{secrets.randbelow(256)}"
        self._addresses = 0
        self._holders = 0
        self.is_down = False

    def add_image(self, reference: str, *, port: int | None = None, has_healthcheck: bool = False) -> Image:
        """Put an image on this stand-in machine."""
        digest = f"sha256:{hashlib.sha256(reference.encode()).hexdigest()}"
        image = Image(reference=reference, digest=digest, size=1000, port=port, has_healthcheck=has_healthcheck)
        self._images[reference] = image
        return image

    async def crash(self, instance: Instance, *, exit_code: int = 137, is_out_of_memory: bool = False) -> None:
        """Let an instance end as if by itself; one that is kept running comes back at another address."""
        slot = self._slot(instance)
        await self._end(slot, exit_code=exit_code, is_out_of_memory=is_out_of_memory)
        if slot.is_kept:
            slot.instance = replace(slot.instance, restarts=slot.instance.restarts + 1)
            await self._start(slot)

    def set_engine_health(self, instance: Instance, health: HealthStatus) -> None:
        """What the image's own HEALTHCHECK says from now on."""
        slot = self._slot(instance)
        slot.instance = replace(slot.instance, engine_health=health)
        self._tell(slot, "health", health=health)

    def lose(self) -> None:
        """Be an engine that does not answer, until `is_down` is set to False."""
        self.is_down = True
        for queue in self._followers:
            queue.put_nowait(None)

    async def deploy(self, spec: RunSpec, *, count: int) -> DeploymentResult:
        self._check()
        _check_variables(spec.variables)
        if "missing" in spec.image:
            raise ImageNotFound(f"The image {spec.image} is not on this machine.")
        self.networks.check(spec.network)
        self.volumes = {volume.name: b"" for volume in spec.volumes} | self.volumes
        slots = [self._add(spec) for _ in range(count)]
        for number, slot in enumerate(slots):
            await self._start(slot, address="".join(spec.addresses[number : number + 1]))
        return DeploymentResult(tuple(slot.instance for slot in slots))

    async def scale(self, spec: RunSpec, replicas: int) -> DeploymentResult:
        self._check()
        status = await self.get_status(spec.workload_id)
        of_release = [instance for instance in status.instances if instance.release_id == spec.release_id]
        running = [instance for instance in of_release if instance.state is InstanceState.RUNNING]
        for surplus in running[replicas:]:
            await self.remove(surplus, grace_seconds=0)
        started = await self.deploy(spec, count=max(0, replicas - len(running)))
        return DeploymentResult((*running[:replicas], *started.instances))

    async def keep_running(self, instance: Instance) -> None:
        self._check()
        if slot := self._slots.get(instance.engine_id):
            slot.is_kept = True

    async def get_status(self, workload_id: str) -> ServiceStatus:
        instances = await self.list_instances()
        return ServiceStatus(workload_id, tuple(one for one in instances if one.workload_id == workload_id))

    async def list_instances(self) -> Sequence[Instance]:
        self._check()
        return sorted((slot.instance for slot in self._slots.values()), key=lambda instance: instance.id)

    async def find_instance(self, instance: Instance) -> Instance | None:
        self._check()
        slot = self._slots.get(instance.engine_id)
        return None if slot is None else slot.instance

    def follow_logs(self, instance: Instance, *, since: datetime | None = None) -> AsyncGenerator[LogEntry]:
        return self._slot(instance).output.follow(since)

    async def get_logs(self, instance: Instance, *, tail: int = 100) -> Sequence[LogEntry]:
        return self._slot(instance).output.tail(tail)

    def follow_events(self) -> AsyncGenerator[InstanceEvent]:
        queue: asyncio.Queue[InstanceEvent | None] = asyncio.Queue()
        self._followers.append(queue)
        return self._follow(queue)

    async def restart(self, instance: Instance, *, grace_seconds: float) -> Instance:
        await self.stop(instance, grace_seconds=grace_seconds)
        return await self.start(instance)

    async def start(self, instance: Instance) -> Instance:
        slot = self._slot(instance)
        if slot.instance.state is not InstanceState.RUNNING:
            await self._start(slot)
        return slot.instance

    async def stop(self, instance: Instance, *, grace_seconds: float) -> None:
        del grace_seconds  # these programs end at once
        self._check()
        slot = self._slots.get(instance.engine_id)
        if slot is not None and slot.instance.state is InstanceState.RUNNING:
            await self._end(slot, exit_code=143)

    async def remove(self, instance: Instance, *, grace_seconds: float) -> None:
        await self.stop(instance, grace_seconds=grace_seconds)
        self._slots.pop(instance.engine_id, None)

    async def run_command(
        self, spec: RunSpec, command: Sequence[str], *, timeout_seconds: float, report: Report, grace_seconds: float = 0
    ) -> int:
        del grace_seconds  # these programs end at once
        self._check()
        if "missing" in spec.image:
            raise ImageNotFound(f"The image {spec.image} is not on this machine.")
        exit_code, output = await run_known(command or spec.command or ["true"], timeout_seconds=timeout_seconds)
        for line in output.splitlines():
            await report(line)
        return exit_code

    async def list_command_deployments(self) -> frozenset[str]:
        return frozenset()  # commands end with this process

    async def remove_commands(self, *, of_deployment: str | None = None) -> int:
        del of_deployment
        self._check()
        return 0

    async def execute(self, instance: Instance, command: Sequence[str], *, timeout_seconds: float) -> tuple[int, str]:
        if self._slot(instance).instance.state is not InstanceState.RUNNING:
            raise Conflict(f"The instance {instance.name} is not running.")
        return await run_known(command, timeout_seconds=timeout_seconds)

    async def find_listening_ports(self, instance: Instance) -> Sequence[int]:
        return self._slot(instance).program.ports

    async def get_usage(self, instance: Instance) -> ResourceUsage:
        limits = self._slot(instance).spec.limits
        return ResourceUsage(
            cpu=0.01, memory_bytes=1 << 20, memory_limit_bytes=limits.memory_bytes, received_bytes=0, sent_bytes=0
        )

    async def ensure_network(self, name: str, *, labels: Mapping[str, str]) -> str:
        del labels
        self._check()
        return self.networks.ensure(name)

    async def choose_addresses(self, network: str, *, count: int) -> Sequence[str]:
        del network
        return [self._next_address() for _ in range(count)]

    async def admit_guest(self, instance: Instance, network: str, *, aliases: Sequence[str]) -> None:
        self._check()
        self.networks.check(network)
        if instance.engine_id in self._slots:
            self.networks.admit(instance.id, network, aliases=aliases)

    async def remove_network(self, name: str) -> None:
        self._check()
        running = (slot for slot in self._slots.values() if slot.instance.state is InstanceState.RUNNING)
        if all(slot.spec.network != name for slot in running):
            self.networks.remove(name)

    async def list_networks(self) -> Sequence[str]:
        self._check()
        return self.networks.list_names()

    async def get_host_gateway(self) -> str:
        return "127.0.0.1"

    def check_volume_is_free(self, name: str) -> None:
        """Conflict while an instance has the volume."""
        self._check()
        if any(volume.name == name for slot in self._slots.values() for volume in slot.spec.volumes):
            raise Conflict(f"The volume {name} is in use.")

    async def get_image(self, reference: str) -> Image:
        self._check()
        if reference not in self._images:
            raise ImageNotFound(f"The image {reference} is not on this machine.")
        return self._images[reference]

    async def pull_image(
        self, reference: str, *, credential: Credential | None, report: Report, allows_copy: bool = True
    ) -> Image:
        self._check()
        if reference in self._images and allows_copy:
            return self._images[reference]
        if "missing" in reference:
            raise ImageNotFound(f"The registry does not have the image {reference}.")
        if "private" in reference and credential is None:
            raise ImageNotFound(f"The registry does not give the image {reference} to everybody.")
        if "unreachable" in reference:
            raise SourceUnavailable(f"The registry of the image {reference} does not answer.")
        await report(f"Pulled {reference}")
        return self.add_image(reference)

    async def push_image(
        self, image: Image, *, repository: str, credential: Credential | None, report: Report
    ) -> Image:
        del credential
        self._check()
        pushed = replace(image, reference=f"{repository}@{image.digest}")
        self._images[pushed.reference] = pushed
        await report(f"Pushed {pushed.reference}")
        return pushed

    async def tag_image(self, reference: str, tag: str) -> None:
        self._images[tag] = await self.get_image(reference)

    async def remove_image(self, reference: str) -> None:
        self._check()
        if not any(slot.spec.image == reference for slot in self._slots.values()):
            self._images.pop(reference, None)

    async def list_images(self) -> Sequence[Image]:
        self._check()
        return list({image.reference: image for image in self._images.values()}.values())

    async def ping(self) -> str:
        self._check()
        return "memory"

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[None]:
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if self._holders == 0:
                await self._close()

    def _check(self) -> None:
        if self.is_down:
            raise OrchestratorUnavailable("The stand-in engine was told not to answer.")

    def _slot(self, instance: Instance) -> _Slot:
        self._check()
        if instance.engine_id not in self._slots:
            raise NotFound(f"The instance {instance.name} is gone.")
        return self._slots[instance.engine_id]

    def _add(self, spec: RunSpec) -> _Slot:
        instance_id = new_id("ins")
        instance = Instance(
            id=instance_id,
            engine_id=secrets.token_hex(32),
            name=instance_name(
                project=spec.project,
                service=spec.service,
                environment=spec.environment,
                release_number=spec.release_number,
                instance_id=instance_id,
            ),
            workload_id=spec.workload_id,
            release_id=spec.release_id,
            deployment_id=spec.deployment_id,
            state=InstanceState.STARTING,
        )
        output = Output(instance_id)
        slot = _Slot(spec, instance, output, Program(spec, output=output))
        self._slots[instance.engine_id] = slot
        return slot

    async def _start(self, slot: _Slot, *, address: str = "") -> None:
        address = address or self._next_address()
        slot.instance = replace(
            slot.instance,
            state=InstanceState.RUNNING,
            address=address,
            exit_code=None,
            is_out_of_memory=False,
            started_at=datetime.now(UTC),
            finished_at=None,
        )
        self._tell(slot, "start")
        exit_code = await slot.program.start(slot.instance)
        if exit_code is not None:
            await self._end(slot, exit_code=exit_code)

    def _next_address(self) -> str:
        self._addresses += 1
        return f"{self._prefix}.{1 + self._addresses % 250}"

    async def _end(self, slot: _Slot, *, exit_code: int, is_out_of_memory: bool = False) -> None:
        await slot.program.stop()
        slot.instance = replace(
            slot.instance,
            state=InstanceState.EXITED,
            address="",
            exit_code=exit_code,
            is_out_of_memory=is_out_of_memory,
            finished_at=datetime.now(UTC),
        )
        slot.output.end()
        if is_out_of_memory:
            self._tell(slot, "oom")
        self._tell(slot, "die", exit_code=exit_code)

    def _tell(
        self,
        slot: _Slot,
        kind: Literal["start", "die", "oom", "health"],
        *,
        exit_code: int | None = None,
        health: HealthStatus = HealthStatus.UNKNOWN,
    ) -> None:
        event = InstanceEvent(kind, slot.instance.id, slot.instance.workload_id, exit_code, health)
        for queue in self._followers:
            queue.put_nowait(event)

    async def _follow(self, queue: asyncio.Queue[InstanceEvent | None]) -> AsyncGenerator[InstanceEvent]:
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._followers.remove(queue)
        raise OrchestratorUnavailable("The stand-in engine has ended its stream of events.")

    async def _close(self) -> None:
        for slot in self._slots.values():
            await slot.program.stop()
            slot.output.end()
        self._slots.clear()


def _check_variables(variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name + value:
            raise InvalidInput(f"The variable {name!r} cannot be carried exactly.", field="variables")
