"""DockerOrchestrator: runs releases on one Docker Engine."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import datetime

from towline.orchestrators.base import Orchestrator
from towline.orchestrators.docker import addresses, commands, events, logs, networks, ports, streams, volumes
from towline.orchestrators.docker.engine import Engine
from towline.orchestrators.docker.images import Images
from towline.orchestrators.docker.instances import Instances
from towline.orchestrators.docker.networks import Networks
from towline.orchestrators.docker.usage import UsageMeter
from towline.values import (
    Credential,
    DeploymentResult,
    Image,
    Instance,
    InstanceEvent,
    LogEntry,
    Report,
    ResourceUsage,
    RunSpec,
    ServiceStatus,
)


class DockerOrchestrator(Orchestrator):
    """Instances are containers, environments are bridge networks; the interface says what each method promises."""

    kind = "docker"

    def __init__(self, *, docker_host: str, installation_id: str, network_pool: str) -> None:
        self._installation_id = installation_id
        self._engine = Engine(docker_host)
        self._instances = Instances(self._engine, installation_id=installation_id)
        self._images = Images(self._engine, installation_id=installation_id)
        self._networks = Networks(self._engine, installation_id=installation_id, pool=network_pool)
        self._meter = UsageMeter(self._engine)

    async def deploy(self, spec: RunSpec, *, count: int) -> DeploymentResult:
        return DeploymentResult(await self._instances.start_new(spec, count=count))

    async def scale(self, spec: RunSpec, replicas: int) -> DeploymentResult:
        return DeploymentResult(await self._instances.scale(spec, replicas=replicas))

    async def keep_running(self, instance: Instance) -> None:
        await self._instances.keep_running(instance)

    async def get_status(self, workload_id: str) -> ServiceStatus:
        return ServiceStatus(workload_id, await self._instances.list_of_workload(workload_id))

    async def list_instances(self) -> Sequence[Instance]:
        return await self._instances.list_all()

    async def find_instance(self, instance: Instance) -> Instance | None:
        return await self._instances.find(instance)

    async def follow_logs(self, instance: Instance, *, since: datetime | None = None) -> AsyncGenerator[LogEntry]:
        async with aclosing(logs.follow_logs(self._engine, instance.engine_id, since=since)) as lines:
            async for line in lines:
                yield logs.to_entry(line, instance=instance)

    async def get_logs(self, instance: Instance, *, tail: int = 100) -> Sequence[LogEntry]:
        lines = await logs.get_logs(self._engine, instance.engine_id, tail=tail)
        return [logs.to_entry(line, instance=instance) for line in lines]

    def follow_events(self) -> AsyncGenerator[InstanceEvent]:
        return events.follow_events(self._engine, installation_id=self._installation_id)

    async def restart(self, instance: Instance, *, grace_seconds: float) -> Instance:
        return await self._instances.restart(instance, grace_seconds=grace_seconds)

    async def start(self, instance: Instance) -> Instance:
        return await self._instances.start(instance)

    async def stop(self, instance: Instance, *, grace_seconds: float) -> None:
        await self._instances.stop(instance, grace_seconds=grace_seconds)

    async def remove(self, instance: Instance, *, grace_seconds: float) -> None:
        await self._instances.remove(instance, grace_seconds=grace_seconds)

    async def run_command(
        self, spec: RunSpec, command: Sequence[str], *, timeout_seconds: float, report: Report, grace_seconds: float = 0
    ) -> int:
        return await commands.run_command(
            self._engine,
            spec,
            command,
            installation_id=self._installation_id,
            timeout_seconds=timeout_seconds,
            grace_seconds=grace_seconds,
            report=report,
        )

    async def list_command_deployments(self) -> frozenset[str]:
        return await commands.list_command_deployments(self._engine, installation_id=self._installation_id)

    async def remove_commands(self, *, of_deployment: str | None = None) -> int:
        return await commands.remove_commands(
            self._engine, installation_id=self._installation_id, of_deployment=of_deployment
        )

    async def execute(self, instance: Instance, command: Sequence[str], *, timeout_seconds: float) -> tuple[int, str]:
        return await commands.execute(self._engine, instance, command, timeout_seconds=timeout_seconds)

    def read_command(self, instance: Instance, command: Sequence[str]) -> AsyncGenerator[bytes]:
        return streams.read_command(self._engine, instance, command)

    async def feed_command(
        self, instance: Instance, command: Sequence[str], chunks: AsyncIterator[bytes]
    ) -> tuple[int, str]:
        return await streams.feed_command(self._engine, instance, command, chunks)

    async def find_listening_ports(self, instance: Instance) -> Sequence[int]:
        return await ports.find_listening_ports(self._engine, instance)

    async def get_usage(self, instance: Instance) -> ResourceUsage:
        return await self._meter.get_usage(instance.engine_id)

    async def ensure_network(self, name: str, *, labels: Mapping[str, str]) -> str:
        return await self._networks.ensure(name, labels=labels)

    async def choose_addresses(self, network: str, *, count: int) -> Sequence[str]:
        return await addresses.choose_addresses(self._engine, network, count=count, choose=addresses.choose_row)

    async def admit_guest(self, instance: Instance, network: str, *, aliases: Sequence[str]) -> None:
        await self._networks.admit_guest(instance.engine_id, network, aliases=aliases)

    async def remove_network(self, name: str) -> None:
        await self._networks.remove(name)

    async def list_networks(self) -> Sequence[str]:
        return await self._networks.list_names()

    async def get_host_gateway(self) -> str:
        return await networks.get_host_gateway(self._engine)

    async def remove_volume(self, name: str) -> None:
        await volumes.delete_volume(self._engine, name, installation_id=self._installation_id)

    def read_volume(self, volume: str, *, image: str) -> AsyncGenerator[bytes]:
        return volumes.read_volume(self._engine, volume, image=image, installation_id=self._installation_id)

    async def write_volume(self, volume: str, chunks: AsyncIterator[bytes], *, image: str) -> None:
        await volumes.write_volume(self._engine, volume, chunks, image=image, installation_id=self._installation_id)

    async def list_volumes(self, *, timeout_seconds: float) -> Mapping[str, int | None]:
        return await volumes.list_volumes(
            self._engine, installation_id=self._installation_id, timeout_seconds=timeout_seconds
        )

    async def get_image(self, reference: str) -> Image:
        return await self._images.get(reference)

    async def pull_image(
        self, reference: str, *, credential: Credential | None, report: Report, allows_copy: bool = True
    ) -> Image:
        return await self._images.pull(reference, credential=credential, report=report, allows_copy=allows_copy)

    async def push_image(
        self, image: Image, *, repository: str, credential: Credential | None, report: Report
    ) -> Image:
        return await self._images.push(image, repository=repository, credential=credential, report=report)

    async def tag_image(self, reference: str, tag: str) -> None:
        await self._images.tag(reference, tag)

    async def remove_image(self, reference: str) -> None:
        await self._images.remove(reference)

    async def list_images(self) -> Sequence[Image]:
        return await self._images.list_own()

    async def ping(self) -> str:
        return await self._engine.get_version()

    def session(self) -> AbstractAsyncContextManager[None]:
        return self._engine.session()
