"""Frozen values that cross layers; they hold facts and no behaviour beyond what follows from their own fields."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal


class ServiceType(StrEnum):
    """What kind of program a service is."""

    WEB = "web"
    WORKER = "worker"
    CRON = "cron"
    DATABASE = "database"


class EnvironmentKind(StrEnum):
    """Where services of a project run."""

    PRODUCTION = "production"
    STAGING = "staging"
    PREVIEW = "preview"


class DeploymentStatus(StrEnum):
    """The founding document's statuses, plus the two other ends."""

    QUEUED = "queued"
    BUILDING = "building"
    DEPLOYING = "deploying"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the deployment."""
        return self not in {self.QUEUED, self.BUILDING, self.DEPLOYING}


OPEN_STATUSES: Final = (
    DeploymentStatus.QUEUED.value,
    DeploymentStatus.BUILDING.value,
    DeploymentStatus.DEPLOYING.value,
)
"""Of deployments to which something will still happen; for conditions on rows."""

RUNNING_STATUSES: Final = (DeploymentStatus.BUILDING.value, DeploymentStatus.DEPLOYING.value)
"""Of deployments that a worker holds."""


class Step(StrEnum):
    """The finer steps inside `building` and `deploying`."""

    WAIT = "wait"
    FETCH = "fetch"
    BUILD = "build"
    RELEASE_COMMAND = "release_command"
    START = "start"
    HEALTH = "health"
    SWITCH = "switch"
    RETIRE = "retire"
    DONE = "done"


class Trigger(StrEnum):
    """Why a deployment was asked for."""

    PUSH = "push"
    MANUAL = "manual"
    API = "api"
    PREVIEW = "preview"
    ROLLBACK = "rollback"
    CASCADE = "cascade"


class HealthStatus(StrEnum):
    """Health of a workload or instance; unknown before the first check."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


Stream = Literal["stdout", "stderr", "system"]
Level = Literal["debug", "info", "warning", "error"]
Report = Callable[[str], Awaitable[None]]
"""Called with every line of progress a person may read; implementations never pass a secret on purpose."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of output. `sequence` is 0 until the log store has numbered it (from 1, without gaps, per log)."""

    at: datetime
    message: str
    stream: Stream = "stdout"
    level: Level = "info"
    instance_id: str | None = None
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret for one remote: user name and password or token, or a private SSH key with the host keys it trusts."""

    username: str = ""
    password: str = field(default="", repr=False)
    ssh_key: str = field(default="", repr=False)
    known_hosts: str = ""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The fetched tree of one revision, stored as a content-addressed artifact.

    `digest` is `sha256:…` over the normalised tree (names, modes, contents; not times), so the same tree always has
    the same digest. `revision` is the commit or the upload's digest. `size` is in bytes, as stored.
    """

    digest: str
    revision: str
    size: int
    message: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An OCI image pinned by digest. `reference` is what the engine can run: an image id or `name@sha256:…`.

    `reserved_labels` are the names of labels that no image may bring along (see names.find_reserved_labels).
    """

    reference: str
    digest: str
    size: int = 0
    port: int | None = None
    has_healthcheck: bool = False
    is_cached: bool = False
    reserved_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """How a bundle becomes an image. Paths are relative to the bundle and stay inside it.

    `dockerfile` is an inline Dockerfile that wins over `dockerfile_path`. `memory_bytes`, `cpus` and `timeout` bound
    the whole build. `secrets` are mounted (`--mount=type=secret,id=NAME`), never written to the image. Cache mounts are
    shared by builds of one `cache_scope`, which nobody else should be able to guess. `registries` are the credentials,
    by host, of what the build may pull.
    """

    dockerfile_path: str = "Dockerfile"
    context: str = "."
    target: str | None = None
    dockerfile: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    registries: Mapping[str, Credential] = field(default_factory=dict[str, Credential], repr=False)
    builder: Literal["auto", "dockerfile", "static", "python", "node", "nixpacks", "railpack"] = "auto"
    start_command: tuple[str, ...] = ()
    use_cache: bool = True
    cache_scope: str = ""
    memory_bytes: int = 0
    cpus: float = 0
    timeout: timedelta = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """A named volume mounted at an absolute path inside the instances."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one instance may use; 0 means the engine's default for `cpus` and `memory_bytes`."""

    memory_bytes: int = 0
    cpus: float = 0
    pids: int = 512


@dataclass(frozen=True, slots=True)
class Probe:
    """How an instance is found healthy.

    `http`: GET `path`, any status 200-399. `tcp`: the port accepts. `command`: exit 0 inside the instance.
    `process`: it stays up for `settle`. `image`: the image's own HEALTHCHECK. `interval` is between two tries,
    `timeout` for one try, `deadline` for all of them.
    """

    kind: Literal["http", "tcp", "command", "process", "image"] = "http"
    path: str = "/"
    command: tuple[str, ...] = ()
    interval: timedelta = timedelta(milliseconds=50)
    timeout: timedelta = timedelta(seconds=5)
    deadline: timedelta = timedelta(seconds=60)
    settle: timedelta = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything an orchestrator needs to start instances of one release.

    `aliases` are the names other services of the environment reach it by; `hosts` are extra name -> address entries;
    `network` is the environment's network, already made by `ensure_network`; `addresses` are those of the instances
    there, from `choose_addresses`, none where it does not matter. `command` empty means the image's own.
    `files` are written at absolute paths before the program starts, readable by every user of the instance.
    """

    workload_id: str
    project_id: str
    service_id: str
    environment_id: str
    release_id: str
    release_number: int
    deployment_id: str
    project: str
    service: str
    environment: str
    image: str
    network: str
    addresses: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    port: int | None = None
    aliases: tuple[str, ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict[str, str])
    volumes: tuple[VolumeMount, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    limits: Limits = Limits()
    stop_grace: timedelta = timedelta(seconds=10)
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


class InstanceState(StrEnum):
    """What the engine says of an instance."""

    STARTING = "starting"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Instance:
    """One running container (or Swarm task) of a release, as the engine sees it.

    `id` is Towline's own (`ins_…`), `engine_id` the container's. `address` is an IP the router can reach, empty when
    it is not running. `exit_code`, `is_out_of_memory` and `finished_at` are set once it has exited.
    `restarts` counts how often the engine started it again.
    """

    id: str
    engine_id: str
    name: str
    workload_id: str
    release_id: str
    deployment_id: str
    state: InstanceState
    address: str = ""
    exit_code: int | None = None
    is_out_of_memory: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    restarts: int = 0
    engine_health: HealthStatus = HealthStatus.UNKNOWN


@dataclass(frozen=True, slots=True)
class InstanceEvent:
    """Something the engine reported about an instance, as it happened.

    `exit` may come ahead of `die`: the main process is gone, though the engine still says that the instance runs.
    """

    kind: Literal["start", "exit", "die", "oom", "health"]
    instance_id: str
    workload_id: str
    exit_code: int | None = None
    health: HealthStatus = HealthStatus.UNKNOWN


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The orchestrator's view of one workload."""

    workload_id: str
    instances: tuple[Instance, ...]

    @property
    def running(self) -> int:
        """How many instances run right now."""
        return sum(instance.state is InstanceState.RUNNING for instance in self.instances)


@dataclass(frozen=True, slots=True)
class DeploymentResult:
    """What `deploy` left behind: the instances of the release, in the order they were started."""

    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """What one instance uses: CPU as a share of one core, bytes for memory and network totals."""

    cpu: float
    memory_bytes: int
    memory_limit_bytes: int
    received_bytes: int
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class Middlewares:
    """What happens to a request before it reaches a service. Empty fields mean: not at all.

    `basic_auth` holds htpasswd lines; `rate_average`/`rate_burst` are requests per second; `allow_addresses` CIDRs;
    `max_body_bytes` 0 is unlimited.
    """

    basic_auth: tuple[str, ...] = ()
    rate_average: int = 0
    rate_burst: int = 0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    compress: bool = False
    allow_addresses: tuple[str, ...] = ()
    max_body_bytes: int = 0
    strip_prefix: bool = False
    redirect_to: str = ""


Absence = Literal["down", "maintenance", "waking"]


@dataclass(frozen=True, slots=True)
class Route:
    """Host + path prefix -> servers of one workload.

    `key` is unique over the instance and safe in Traefik names (a-z, 0-9, hyphen). `servers` are `http://ip:port`;
    empty means nobody serves it now, and `absence` says why: `down` and `maintenance` are answered 503 with a page of
    Towline's, `waking` leads requests to Towline, which has the servers started. `internal_from` holds CIDRs: the route
    is then answered on the internal entry point only, and only to callers from there; the narrowest network wins.
    Requests to a guarded route get through only where Towline's gate of the owner lets them.
    `certificate` says where the TLS certificate comes from: `none` (http only), `default` (Traefik's own), `acme`,
    `wildcard` (one for all hosts one label below the host's parent), or `own` (given by the user).
    """

    key: str
    host: str
    servers: tuple[str, ...]
    path_prefix: str = "/"
    certificate: Literal["none", "default", "acme", "wildcard", "own"] = "default"
    redirect_to_https: bool = False
    internal_from: tuple[str, ...] = ()
    middlewares: Middlewares = Middlewares()
    absence: Absence = "down"
    is_guarded: bool = False


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One look at a workload or instance. `response_time` is of the check's own request."""

    status: HealthStatus
    checked_at: datetime
    response_time: timedelta | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A bundle on this machine's disk, ready to be unpacked or sent."""

    bundle: Bundle
    path: Path
