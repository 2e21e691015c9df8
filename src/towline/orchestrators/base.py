"""The contract of an orchestrator: the adapter that runs releases."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import ClassVar

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


class Orchestrator(ABC):
    """Runs instances of releases. It starts and removes what it is told; health, routing and policy live elsewhere.

    Every call is safe to repeat. Raises OrchestratorUnavailable (retryable), ImageNotFound, DiskFull, TimedOut,
    InvalidInput; nothing of the engine's client leaves this layer. Everything made carries the label
    `towline.instance-of=<installation id>`, so two installations share one engine without touching each other's.
    """

    kind: ClassVar[str]

    @abstractmethod
    async def deploy(self, spec: RunSpec, *, count: int) -> DeploymentResult:
        """Start `count` new instances of the release beside whatever runs, in parallel; on error none of them stays."""

    @abstractmethod
    async def scale(self, spec: RunSpec, replicas: int) -> DeploymentResult:
        """Bring the release to exactly `replicas` running instances: start the missing, remove the newest surplus.

        Draining the surplus first is the caller's part. Exited instances are left alone.
        """

    @abstractmethod
    async def keep_running(self, instance: Instance) -> None:
        """From now on let the engine start the instance again after a crash or a reboot. Done when it is gone.

        New instances are made without this, so that a candidate which ends is seen as exited; called after the switch.
        The engine may give the instance another address each time, so read it fresh.
        """

    @abstractmethod
    async def get_status(self, workload_id: str) -> ServiceStatus:
        """Every instance of the workload, any release, running or exited."""

    @abstractmethod
    async def list_instances(self) -> Sequence[Instance]:
        """Every instance of this installation in one request, oldest first.

        Without `started_at`, `finished_at`, `restarts` and `is_out_of_memory`, which `get_status` has.
        """

    @abstractmethod
    async def find_instance(self, instance: Instance) -> Instance | None:
        """The instance as it is now; None when it is gone."""

    @abstractmethod
    def follow_logs(self, instance: Instance, *, since: datetime | None = None) -> AsyncGenerator[LogEntry]:
        """Every line from `since` on (inclusive), standard output and error told apart, ending when the instance ends.

        Close it (`contextlib.aclosing`) when leaving early. To resume, pass the last entry's `at` and skip as many
        entries of that very time as were already seen.
        """

    @abstractmethod
    async def get_logs(self, instance: Instance, *, tail: int = 100) -> Sequence[LogEntry]:
        """The last `tail` lines, oldest first; also of an exited instance."""

    @abstractmethod
    def follow_events(self) -> AsyncGenerator[InstanceEvent]:
        """What happens to this installation's instances from this call on; each start and each death is told.

        Where an orchestrator learns of a death sooner than the engine, it tells `exit` first, then `die`.
        Raises OrchestratorUnavailable when the engine is lost. Nothing is missed between the call and the first
        iteration. Close it when leaving early.
        """

    @abstractmethod
    async def restart(self, instance: Instance, *, grace_seconds: float) -> Instance:
        """Stop and start the same container; return it with its new address."""

    @abstractmethod
    async def start(self, instance: Instance) -> Instance:
        """Start a stopped instance again; return it with its new address."""

    @abstractmethod
    async def stop(self, instance: Instance, *, grace_seconds: float) -> None:
        """SIGTERM, then SIGKILL after the grace; the stopped instance stays. Done when already stopped or gone."""

    @abstractmethod
    async def remove(self, instance: Instance, *, grace_seconds: float) -> None:
        """Stop, then remove the instance and its anonymous volumes. Done when it is already gone."""

    @abstractmethod
    async def run_command(
        self, spec: RunSpec, command: Sequence[str], *, timeout_seconds: float, report: Report, grace_seconds: float = 0
    ) -> int:
        """Run one command in a fresh instance of the release, without route; report its lines, return its exit code.

        An empty command stands for the release's own program. The fresh instance is no instance of the workload (no
        listing shows it) and is always removed: when it is cancelled or takes too long with SIGTERM first, if it has
        a grace, and its last lines are reported.
        """

    @abstractmethod
    async def list_command_deployments(self) -> frozenset[str]:
        """Each `deployment_id` whose `run_command` runs now, or was left behind by a killed process."""

    @abstractmethod
    async def remove_commands(self, *, of_deployment: str | None = None) -> int:
        """Remove what `run_command` of a killed process left behind, of one deployment or of all; how many."""

    @abstractmethod
    async def execute(self, instance: Instance, command: Sequence[str], *, timeout_seconds: float) -> tuple[int, str]:
        """Run a command inside a running instance; exit code and last 4 kB of output. It ends with its time limit."""

    @abstractmethod
    def read_command(self, instance: Instance, command: Sequence[str]) -> AsyncGenerator[bytes]:
        """What a command inside a running instance writes to its standard output, as it comes.

        CommandFailed with its last words when it ends with an error. It is ended when the generator is closed early
        (`contextlib.aclosing`).
        """

    @abstractmethod
    async def feed_command(
        self, instance: Instance, command: Sequence[str], chunks: AsyncIterator[bytes]
    ) -> tuple[int, str]:
        """Run a command inside a running instance with `chunks` as its standard input; exit code, last 4 kB of output.

        One that ends without reading everything has ended: what is left is not sent. Cancelling ends it.
        """

    @abstractmethod
    def read_volume(self, volume: str, *, image: str) -> AsyncGenerator[bytes]:
        """A volume's whole content as a tar archive, through a container of `image` that is never started.

        NotFound when there is no such volume.
        """

    @abstractmethod
    async def write_volume(self, volume: str, chunks: AsyncIterator[bytes], *, image: str) -> None:
        """Make a volume anew, holding exactly what `read_volume` gave; Conflict while an instance has it."""

    @abstractmethod
    async def list_volumes(self, *, timeout_seconds: float) -> Mapping[str, int | None]:
        """This installation's volumes by name with their bytes; None where they could not be counted in time."""

    @abstractmethod
    async def find_listening_ports(self, instance: Instance) -> Sequence[int]:
        """TCP ports something inside listens on, on an address that can be reached from outside; lowest first."""

    @abstractmethod
    async def get_usage(self, instance: Instance) -> ResourceUsage:
        """What the instance uses now; takes at most a quarter of a second."""

    @abstractmethod
    async def ensure_network(self, name: str, *, labels: Mapping[str, str]) -> str:
        """Make the network from the pool of subnets unless it is there; return its subnet as CIDR."""

    @abstractmethod
    async def choose_addresses(self, network: str, *, count: int) -> Sequence[str]:
        """Addresses nobody has, for new instances, side by side where that can be; none where there are no fixed ones.

        They are free until someone starts an instance there: an instance whose address was taken meanwhile has another.
        """

    @abstractmethod
    async def admit_guest(self, instance: Instance, network: str, *, aliases: Sequence[str]) -> None:
        """Let an instance of another network be reached in this one too, by these names; its own address stays its own.

        Done when it is there already, or is gone; NotFound when there is no such network.
        """

    @abstractmethod
    async def remove_network(self, name: str) -> None:
        """Remove the network when nothing but guests uses it."""

    @abstractmethod
    async def list_networks(self) -> Sequence[str]:
        """Names of this installation's networks."""

    @abstractmethod
    async def get_host_gateway(self) -> str:
        """An address of the host that instances of every network can reach."""

    @abstractmethod
    async def remove_volume(self, name: str) -> None:
        """Remove a volume for good."""

    @abstractmethod
    async def get_image(self, reference: str) -> Image:
        """The image as this machine has it; ImageNotFound when it has not."""

    @abstractmethod
    async def pull_image(
        self, reference: str, *, credential: Credential | None, report: Report, allows_copy: bool = True
    ) -> Image:
        """The image pinned by digest; pulled only when absent, or when a moving tag's registry answers.

        Without `allows_copy` the registry must give it, whatever is on this machine.
        """

    @abstractmethod
    async def push_image(
        self, image: Image, *, repository: str, credential: Credential | None, report: Report
    ) -> Image:
        """Push and return the image as `repository@sha256:…`."""

    @abstractmethod
    async def tag_image(self, reference: str, tag: str) -> None:
        """Give an image a name of Towline's, so that clean-up by others does not take it.

        Names that begin with `towline-<installation id>/` count as the installation's own in `list_images`.
        """

    @abstractmethod
    async def remove_image(self, reference: str) -> None:
        """Remove a tag, and with its last tag the image; quietly keeps one that a container uses.

        By id: the installation's own tags, and the image when nobody else has tagged it.
        """

    @abstractmethod
    async def list_images(self) -> Sequence[Image]:
        """Images labelled or tagged by this installation."""

    @abstractmethod
    async def ping(self) -> str:
        """The engine's version; OrchestratorUnavailable when it does not answer within two seconds."""

    @abstractmethod
    def session(self) -> AbstractAsyncContextManager[None]:
        """Hold the connection to the engine for the length of a process."""
