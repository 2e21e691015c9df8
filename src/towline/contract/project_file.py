"""The project file `towline.yaml`: a project, its services and all that belongs to them, without secret values."""

from typing import Annotated, Any, Literal, cast

from pydantic import Field, StringConstraints, field_validator, model_validator

from towline.contract.backups import BackupSettings
from towline.contract.base import (
    MAX_BYTES,
    AbsolutePath,
    Command,
    Host,
    LongText,
    Model,
    PathPrefix,
    PortNumber,
    Replicas,
    Seconds,
    ShortText,
    Slug,
    TreePath,
    VariableName,
    VariableText,
)
from towline.contract.previews import PreviewRules
from towline.contract.services import (
    Builder,
    Cpus,
    HealthProbe,
    RunSeconds,
    Schedule,
    TimeZone,
    VolumeName,
    WatchPaths,
)
from towline.contract.sources import ServiceSource
from towline.values import EnvironmentKind, ServiceType

FILE_NAME = "towline.yaml"
MOST_SERVICES = 200
LEAST_MEMORY = 6 * 1024 * 1024
_SIZE = r"^[0-9]+(\.[0-9]+)?\s*([KMGT]i?)?B?$"
_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_BINARY_UNITS = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4}

MemorySize = Annotated[str, StringConstraints(pattern=_SIZE, max_length=20)]
ImageName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[!-~]+$")]


class FileVariable(Model):
    """A variable: a plain value, or a secret whose value is set elsewhere and never stands in the file."""

    value: VariableText | None = Field(default=None, description="Value of a plain one; references are allowed.")
    secret: bool = Field(default=False, strict=True, description="Declares a secret; its value is set with `env set`.")
    generate: bool = Field(
        default=False, strict=True, description="With `secret`: a random value is made when there is none yet."
    )
    kinds: Annotated[list[EnvironmentKind], Field(max_length=3)] = Field(
        default=[], alias="for", description="Kinds of environments it is for."
    )
    file: AbsolutePath | None = Field(default=None, description="Path of a file that holds the value.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "FileVariable":
        if self.secret == (self.value is not None):
            raise ValueError("needs either a value or `secret: true`; secret values do not belong into the file")
        if self.generate and not self.secret:
            raise ValueError("only secrets are generated; add `secret: true`")
        return self


def _to_variable(value: object) -> object:
    """A plain text, number or truth value stands for a variable with that value."""
    if isinstance(value, bool):
        return {"value": "true" if value else "false"}
    return {"value": str(value)} if isinstance(value, str | int | float) else value


class _WithVariables(Model):
    @field_validator("variables", "preview_variables", mode="before", check_fields=False)
    @classmethod
    def _short_variables(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        given = cast("dict[object, object]", value)
        return {name: _to_variable(item) for name, item in given.items()}


Variables = Annotated[dict[VariableName, FileVariable], Field(max_length=500)]


class FileGit(Model):
    """A git repository as source."""

    url: LongText = Field(description="Address of the repository.", examples=["https://git.example.com/shop/api.git"])
    branch: ShortText | None = Field(default=None, description="Branch; null means the remote's default.")
    subdirectory: TreePath | None = Field(default=None, description="Folder of the repository that is the source.")
    submodules: bool = Field(default=False, strict=True, description="Whether submodules are fetched.")
    lfs: bool = Field(default=True, strict=True, description="Whether large files (git LFS) are fetched.")


class FileBuild(Model):
    """How an image is built from the source."""

    dockerfile: TreePath = Field(default="Dockerfile", description="Dockerfile, relative to the source.")
    context: TreePath = Field(default=".", description="Build context, relative to the source.")
    target: ShortText | None = Field(default=None, description="Stage to build; null means the last one.")
    builder: Builder = Field(default="auto", description="`auto` takes the Dockerfile, else detects what it is.")
    arguments: Annotated[dict[VariableName, LongText], Field(max_length=200)] = Field(
        default={}, description="Build arguments by name."
    )
    watch: WatchPaths = Field(default=[], description="A push deploys it only when one of these patterns changed.")


class FileNeed(Model):
    """Another service that must be live and healthy first."""

    service: Slug = Field(description="Name of the service.")
    cascade: bool = Field(default=False, strict=True, description="Whether this one is deployed again after it was.")


class FileDomain(Model):
    """A domain that leads to the service."""

    host: Host = Field(description="Host name.")
    path: PathPrefix = Field(default="/", description="Path below which requests are taken.")
    strip_path: bool = Field(default=False, strict=True, description="Whether the path is removed for the app.")
    certificate: Literal["auto", "none"] = Field(default="auto", description="`none`: HTTP only.")
    redirect_to_https: bool = Field(default=True, strict=True, description="Whether plain HTTP is redirected.")
    environment: Slug = Field(default="production", description="Name of the environment.")


class FileService(_WithVariables):
    """A service. Its source is `image`, `git`, `dockerfile_text` or `source`; else the file's folder, uploaded."""

    type: ServiceType = Field(default=ServiceType.WEB, description="What kind of program it is.")
    image: ImageName | None = Field(default=None, description="Prebuilt image to run.", examples=["postgres:16"])
    git: FileGit | None = Field(default=None, description="Git repository to build.")
    dockerfile_text: LongText | None = Field(default=None, description="A Dockerfile, whole, built without files.")
    source: ServiceSource | None = Field(default=None, description="Any other source, as the API takes it.")
    build: FileBuild = Field(default=FileBuild(), description="How it is built.")
    command: Command = Field(default=[], description="Arguments run instead of the image's own command.")
    release_command: Command = Field(default=[], description="Arguments run once before the switch (migrations).")
    port: PortNumber | None = Field(default=None, description="Port the app listens on; null finds it.")
    health: HealthProbe = Field(default=HealthProbe(), description="How health is checked; a path stands for HTTP.")
    replicas: Replicas = Field(default=1, description="Instances wanted.")
    max_surge: Annotated[int, Field(strict=True, ge=0, le=100)] = Field(
        default=0, description="Extra instances during a rollout; 0 means the instance's setting."
    )
    memory: MemorySize | None = Field(default=None, description="Memory limit, such as 512M or 1Gi.")
    cpus: Cpus | None = Field(default=None, description="CPU limit in cores.")
    stop_grace_seconds: Seconds | None = Field(default=None, description="Seconds from SIGTERM to SIGKILL.")
    drain_seconds: Seconds | None = Field(default=None, description="Seconds between the switch and stopping the old.")
    volumes: Annotated[dict[VolumeName, AbsolutePath], Field(max_length=20)] = Field(
        default={}, description="Volumes: name and where it is mounted."
    )
    backup: BackupSettings | None = Field(default=None, description="How it is dumped and restored.")
    schedule: Schedule | None = Field(
        default=None, description="When a cron service runs: five fields.", examples=["30 2 * * *"]
    )
    time_zone: TimeZone = Field(default="UTC", description="Time zone of the schedule.")
    timeout_seconds: RunSeconds = Field(default=3600, description="Longest time that one run may take.")
    needs: Annotated[list[FileNeed], Field(max_length=MOST_SERVICES)] = Field(
        default=[], description="Services that must be live first; a name stands for one without cascade."
    )
    variables: Variables = Field(default={}, description="Variables by name.")
    domains: Annotated[list[FileDomain], Field(max_length=100)] = Field(
        default=[], description="Domains; a name stands for the whole host."
    )

    @field_validator("needs", mode="before")
    @classmethod
    def _short_needs(cls, value: object) -> object:
        return _spelled_out(value, "service")

    @field_validator("domains", mode="before")
    @classmethod
    def _short_domains(cls, value: object) -> object:
        return _spelled_out(value, "host")

    @field_validator("health", mode="before")
    @classmethod
    def _short_health(cls, value: object) -> object:
        return {"kind": "http", "path": value} if isinstance(value, str) else value

    @field_validator("memory", mode="before")
    @classmethod
    def _memory_in_bytes(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("memory")
    @classmethod
    def _enough_memory(cls, value: str | None) -> str | None:
        if value is not None and not LEAST_MEMORY <= (memory_bytes(value) or 0) <= MAX_BYTES:
            raise ValueError("must be at least 6Mi")
        return value

    @field_validator("cpus", mode="before")
    @classmethod
    def _whole_cpus(cls, value: object) -> object:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _one_source(self) -> "FileService":
        given = [name for name in ("image", "git", "dockerfile_text", "source") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"has several sources: {', '.join(given)}; keep one")
        return self


class ProjectFile(_WithVariables):
    """A whole project."""

    version: Literal[1] = Field(default=1, description="Version of this format.")
    project: Slug = Field(description="Name of the project.", examples=["shop"])
    description: ShortText = Field(default="", description="One line about it.")
    base_domain: Host | None = Field(default=None, description="Domain of generated hosts; null: the instance's.")
    variables: Variables = Field(default={}, description="Variables of all its services.")
    preview_variables: Variables = Field(default={}, description="Variables of all its previews.")
    previews: PreviewRules | None = Field(
        default=None, description="Rules for its previews; what is left out of them is as by default."
    )
    services: Annotated[dict[Slug, FileService], Field(max_length=MOST_SERVICES)] = Field(
        default={}, description="Services by name."
    )

    @model_validator(mode="after")
    def _known_needs(self) -> "ProjectFile":
        for name, service in self.services.items():
            for need in service.needs:
                if need.service not in self.services:
                    raise ValueError(f"services.{name}.needs: there is no service {need.service!r} in the file")
                if need.service == name:
                    raise ValueError(f"services.{name}.needs: a service cannot need itself")
        return self


def memory_bytes(size: str | None) -> int | None:
    """Bytes of a size such as `512M`, `1Gi` or `1073741824`."""
    if size is None:
        return None
    text = size.removesuffix("B").strip()
    number = text.rstrip("KMGTi").strip()
    unit = text[len(number) :].strip()
    return int(float(number) * (_BINARY_UNITS.get(unit) or _UNITS[unit]))


def memory_size(amount: int | None) -> str | None:
    """The shortest size that stands for exactly this many bytes."""
    if amount is None:
        return None
    for unit, factor in reversed([*_UNITS.items(), *_BINARY_UNITS.items()]):
        if factor > 1 and amount % factor == 0:
            return f"{amount // factor}{unit}"
    return str(amount)


def _spelled_out(value: object, key: str) -> object:
    if not isinstance(value, list):
        return value
    return [{key: item} if isinstance(item, str) else item for item in cast("list[object]", value)]


class PlanRequest(Model):
    """A project file to compare with what is there."""

    file: ProjectFile = Field(description="The file.")
    environment: Slug = Field(default="production", description="Environment that is deployed.")
    deletes: bool = Field(
        default=False, strict=True, description="Whether services, domains and variables not in the file are deleted."
    )
    upload: ShortText | None = Field(
        default=None, description="Digest of the uploaded folder, for services without another source."
    )


class ApplyRequest(PlanRequest):
    """A plan to carry out."""

    fingerprint: ShortText = Field(description="`fingerprint` of the plan; a world that has moved since is refused.")
    deploys: bool = Field(default=True, strict=True, description="Whether what needs a deployment is deployed.")


class FieldChange(Model):
    """One setting that changes."""

    field: str = Field(description="Name of the setting.")
    before: Any = Field(default=None, description="Value now; null where there is none, or a secret.")
    after: Any = Field(default=None, description="Value afterwards.")


class Change(Model):
    """One thing that is created, changed or deleted."""

    action: Literal["create", "update", "delete", "keep", "missing"] = Field(
        description="`keep`: is not in the file and stays · `missing`: a secret that has no value yet."
    )
    kind: Literal["project", "service", "variable", "dependency", "domain", "previews"] = Field(
        description="What it is."
    )
    service: str = Field(default="", description="Its service; empty: the project's own.")
    name: str = Field(description="Its name.")
    fields: list[FieldChange] = Field(default=[], description="What changes of it.")


class Plan(Model):
    """What an apply would do."""

    changes: list[Change] = Field(description="Changes, in the order in which they are made.")
    deploys: list[list[str]] = Field(
        description="Services that need a deployment, in steps: each step needs only what is in earlier ones."
    )
    interrupts: list[str] = Field(description="Services that are down for a moment: their volume changes hands.")
    fingerprint: str = Field(description="Stands for the present state and this plan.")


class Applied(Model):
    """What was done."""

    plan: Plan = Field(description="The plan that was carried out.")
    group: str | None = Field(default=None, description="Id of the group deployment; null: nothing was deployed.")


class ExportedFile(Model):
    """A project file written from what exists; applying it changes nothing."""

    text: str = Field(description="The file as YAML.")
    secrets: list[str] = Field(description="Secrets it declares, as `SERVICE.NAME` or `NAME`; their values stay here.")
