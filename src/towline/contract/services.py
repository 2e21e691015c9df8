"""Services: the programs of a project and their build and run settings."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from towline.contract.backups import BackupSettings
from towline.contract.base import (
    DEFAULT_ENVIRONMENT,
    MAX_BYTES,
    VOLUME_PATTERN,
    AbsolutePath,
    Command,
    EnvironmentName,
    LongText,
    Model,
    Page,
    PageQuery,
    PortNumber,
    Replicas,
    Seconds,
    ShortText,
    Slug,
    TreePath,
    VariableName,
)
from towline.contract.sources import ServiceSource, SourceCredential
from towline.values import HealthStatus, ServiceType

Builder = Literal["auto", "dockerfile", "static", "python", "node", "nixpacks", "railpack"]
ProbeKind = Literal["auto", "http", "tcp", "command", "process", "image"]
Schedule = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z*/,\-#]+( [0-9A-Za-z*/,\-#]+){4}$", max_length=200)]
TimeZone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+\-/]+$", max_length=64)]
RunSeconds = Annotated[int, Field(strict=True, ge=1, le=7 * 24 * 3600)]
VolumeName = Annotated[str, StringConstraints(pattern=VOLUME_PATTERN, max_length=63)]
ProbePath = Annotated[str, StringConstraints(pattern=r"^/[!-~]*$", max_length=512)]
Cpus = Annotated[float, Field(strict=True, gt=0, le=1024, allow_inf_nan=False)]
Memory = Annotated[int, Field(strict=True, ge=6 * 1024 * 1024, le=MAX_BYTES)]

WatchPaths = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f]+$")]],
    Field(max_length=100),
]


class HealthProbe(Model):
    """How a new instance is found healthy before requests reach it, and watched afterwards."""

    kind: ProbeKind = Field(
        default="auto",
        description=(
            "`auto`: the image's HEALTHCHECK if it has one, else http for a port, else process · `http`: GET `path` "
            "answers 200-399 · `tcp`: the port accepts · `command`: exit 0 inside the instance · `process`: it stays "
            "up · `image`: the image's HEALTHCHECK."
        ),
    )
    path: ProbePath = Field(default="/", description="Path asked for by `http`.", examples=["/healthz"])
    command: Command = Field(default=[], description="Arguments of `command`.", examples=[["pg_isready", "-q"]])
    timeout_seconds: Annotated[int, Field(strict=True, ge=1, le=3600)] | None = Field(
        default=None, description="Seconds new instances have to become healthy; null means the instance's setting."
    )


class Volume(Model):
    """A named volume that outlives instances; a service with one is stopped before its new version starts."""

    name: VolumeName = Field(description="Name within the service and environment.", examples=["uploads"])
    path: AbsolutePath = Field(description="Where it is mounted in the instances.", examples=["/var/lib/app"])


class _BuildSettings(Model):
    dockerfile_path: TreePath = Field(default="Dockerfile", description="Dockerfile, relative to the source.")
    context: TreePath = Field(default=".", description="Build context, relative to the source.", examples=["apps/api"])
    target: ShortText | None = Field(default=None, description="Stage to build; null means the last one.")
    builder: Builder = Field(
        default="auto", description="`auto` takes the Dockerfile, else detects what the source is."
    )
    build_arguments: Annotated[dict[VariableName, LongText], Field(max_length=200)] = Field(
        default={}, description="Build arguments by name. They stay readable in the image: no secrets here."
    )
    watch_paths: WatchPaths = Field(
        default=[],
        description="A push deploys it only when a path changed that one of these patterns matches (as in .gitignore); "
        "empty: any.",
        examples=[["apps/api/", "!*.md"]],
    )


class _RunSettings(Model):
    start_command: Command = Field(default=[], description="Arguments run instead of the image's own command.")
    release_command: Command = Field(
        default=[], description="Arguments run once in the new image before the switch (migrations)."
    )
    port: PortNumber | None = Field(
        default=None,
        description="Port the app listens on; null finds it from the image or the running app.",
        examples=[8080],
    )
    health: HealthProbe = Field(default=HealthProbe(), description="How health is checked.")
    replicas: Replicas = Field(
        default=1, description="Instances wanted in a new environment; `services.scale` changes one."
    )
    max_surge: Annotated[int, Field(strict=True, ge=0, le=100)] = Field(
        default=0, description="Extra instances during a rollout; 0 means the instance's setting."
    )
    memory_bytes: Memory | None = Field(
        default=None,
        description="Memory limit of one instance in bytes, at least 6 MiB; null means the instance's setting.",
    )
    cpus: Cpus | None = Field(
        default=None, description="CPU limit of one instance in cores; null means none.", examples=[0.5]
    )
    stop_grace_seconds: Seconds | None = Field(
        default=None, description="Seconds from SIGTERM to SIGKILL; null means the instance's setting."
    )
    drain_seconds: Seconds | None = Field(
        default=None, description="Seconds between the switch and stopping the old; null means the instance's setting."
    )
    volumes: Annotated[list[Volume], Field(max_length=20)] = Field(default=[], description="Volumes, at most 20.")
    backup: BackupSettings | None = Field(default=None, description="How it is dumped and restored; null: not at all.")
    schedule: Schedule | None = Field(
        default=None,
        description="When a service of type `cron` runs: minute, hour, day of the month, month, day of the week.",
        examples=["30 2 * * 1-5"],
    )
    time_zone: TimeZone = Field(
        default="UTC", description="Time zone of the schedule.", examples=["Europe/Berlin", "UTC"]
    )
    timeout_seconds: RunSeconds = Field(default=3600, description="Longest time that one run of a schedule may take.")


class ServiceCreate(_BuildSettings, _RunSettings):
    """A new service. Nothing runs until its first deployment."""

    name: Slug = Field(description="Name, unique in the project.", examples=["api"])
    type: ServiceType = Field(
        default=ServiceType.WEB, description="What kind of program it is; only `web` gets a host."
    )
    source: ServiceSource = Field(default=ServiceSource(), description="Where its code comes from.")
    credential: SourceCredential | None = Field(
        default=None, description="Credential for the source; write-only.", repr=False
    )
    build_secrets: Annotated[dict[VariableName, LongText], Field(max_length=50)] = Field(
        default={},
        description="Secrets mounted during the build (`--mount=type=secret,id=NAME`); write-only.",
        repr=False,
    )


class ServiceUpdate(Model):
    """What to change; fields left out stay as they are. Running instances change with the next deployment.

    Where a field may be null, null brings back its default; `credential: null` removes the credential.
    """

    name: Slug | None = Field(default=None, description="New name; its generated host follows.")
    type: ServiceType | None = Field(default=None, description="New type.")
    source: ServiceSource | None = Field(default=None, description="New source, whole.")
    credential: SourceCredential | None = Field(
        default=None, description="New credential, whole; write-only.", repr=False
    )
    build_secrets: Annotated[dict[VariableName, LongText | None], Field(max_length=50)] | None = Field(
        default=None,
        description="Build secrets to set; null as a value deletes one; others stay. Write-only.",
        repr=False,
    )
    dockerfile_path: TreePath | None = Field(default=None, description="Dockerfile, relative to the source.")
    context: TreePath | None = Field(default=None, description="Build context, relative to the source.")
    target: ShortText | None = Field(default=None, description="Stage to build.")
    builder: Builder | None = Field(default=None, description="How it is built.")
    build_arguments: Annotated[dict[VariableName, LongText], Field(max_length=200)] | None = Field(
        default=None, description="Build arguments, whole."
    )
    watch_paths: WatchPaths | None = Field(default=None, description="Paths that a push must change, whole.")
    start_command: Command | None = Field(default=None, description="Arguments run instead of the image's command.")
    release_command: Command | None = Field(default=None, description="Arguments run before the switch.")
    port: PortNumber | None = Field(default=None, description="Port the app listens on; null finds it.")
    health: HealthProbe | None = Field(default=None, description="How health is checked, whole.")
    replicas: Replicas | None = Field(default=None, description="Instances wanted in a new environment.")
    max_surge: Annotated[int, Field(strict=True, ge=0, le=100)] | None = Field(
        default=None, description="Extra instances."
    )
    memory_bytes: Memory | None = Field(default=None, description="Memory limit of one instance in bytes.")
    cpus: Cpus | None = Field(default=None, description="CPU limit of one instance in cores.")
    stop_grace_seconds: Seconds | None = Field(default=None, description="Seconds from SIGTERM to SIGKILL.")
    drain_seconds: Seconds | None = Field(default=None, description="Seconds between switch and stop.")
    volumes: Annotated[list[Volume], Field(max_length=20)] | None = Field(default=None, description="Volumes, whole.")
    backup: BackupSettings | None = Field(default=None, description="How it is dumped and restored, whole.")
    schedule: Schedule | None = Field(default=None, description="When a cron service runs.")
    time_zone: TimeZone | None = Field(default=None, description="Time zone of the schedule.")
    timeout_seconds: RunSeconds | None = Field(default=None, description="Longest time that one run may take.")


class Service(_BuildSettings, _RunSettings):
    """A service of a project."""

    id: str = Field(description="Id.", examples=["svc_01k9x3v5mdcq2r7s8t9vwxyz01"])
    project_id: str = Field(description="Id of its project.")
    name: str = Field(description="Name.", examples=["api"])
    type: ServiceType = Field(description="What kind of program it is.")
    source: ServiceSource = Field(description="Where its code comes from.")
    has_credential: bool = Field(description="Whether a credential for the source is stored.")
    build_secret_names: list[str] = Field(default=[], description="Names of the build secrets.")
    is_auto_port: bool = Field(description="Whether the port is found instead of set.")
    urls: list[str] = Field(
        default=[], description="Addresses in production.", examples=[["https://api-shop.example.com"]]
    )
    health: HealthProbe = Field(default=HealthProbe(), description="How health is checked.")
    status: HealthStatus = Field(default=HealthStatus.UNKNOWN, description="Health in production.")
    created_at: datetime = Field(description="When it was made.")
    updated_at: datetime = Field(description="When its settings last changed.")


class ServiceList(Page[Service]):
    """Services of a project, by name."""


class ServiceSearch(PageQuery):
    """Which services are searched for."""

    text: ShortText = Field(
        min_length=1, description="Words; each is in the name of the service or of its project.", examples=["shop api"]
    )


class FoundService(Model):
    """A service that was searched for."""

    id: str = Field(description="Id of the service.")
    name: Slug = Field(description="Its name.", examples=["api"])
    type: ServiceType = Field(description="What kind of program it is.")
    project: Slug = Field(description="Name of its project.", examples=["shop"])
    role: str = Field(description="The caller's role in the project (`owner` for administrators).")


class FoundServiceList(Page[FoundService]):
    """Services that were searched for, by project and name."""


class EnvironmentChoice(Model):
    """Which environment an action is for."""

    environment: EnvironmentName = DEFAULT_ENVIRONMENT


class ServiceScale(EnvironmentChoice):
    """How many instances are wanted from now on."""

    replicas: Replicas = Field(description="Number of instances; 0 stops them all.", examples=[3])
