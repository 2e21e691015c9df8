"""Every setting of Towline: typed, with its default and one sentence."""

import hmac
import ipaddress
import socket
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

PREFIX: Final = "TOWLINE_"


def _megabytes(number: int) -> int:
    return number * 1024 * 1024


class Settings(BaseModel):
    """Read from `TOWLINE_…` environment variables; `towline up` sets those of the parts it runs itself.

    Durations accept seconds or ISO 8601 (`PT30S`); sizes are bytes; lists are separated by commas.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    data_dir: Path = Field(Path("/var/lib/towline"), description="Folder that holds everything Towline keeps.")
    database_url: str = Field("", description="PostgreSQL URL (postgresql+asyncpg://…); empty starts the embedded one.")
    redis_url: str = Field("", description="Redis or Valkey URL; empty starts the embedded one.")
    installation_id: str = Field(
        "", description="Tells this installation's containers from others'; made at first start."
    )

    base_domain: str = Field("localhost", description="Domain under which generated hosts live.")
    platform_host: str = Field("", description="Host of the API and dashboard; empty means towline.{base_domain}.")
    http_port: int = Field(80, description="Port for plain HTTP.")
    https_port: int = Field(443, description="Port for HTTPS.")
    api_port: int = Field(0, description="Loopback port of the API process; 0 lets `towline up` choose.")
    routing: Literal["traefik", "labels"] = Field(
        "traefik", description="Towline's own Traefik, or labels for a Traefik the user runs."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses or networks of proxies in front of Towline, whose X-Forwarded headers are believed."
    )
    traefik_api_url: str = Field("", description="Loopback address of Traefik's API.")
    traefik_api_password: SecretStr = Field(SecretStr(""), description="Password of Traefik's API (user `towline`).")
    internal_port: int = Field(7946, description="Port of the entry point for calls between services.")
    internal_address: str = Field(
        "", description="Host address of that entry point; empty means Docker's bridge gateway."
    )
    acme_email: str = Field("", description="E-mail for certificates; empty means no certificates are asked for.")
    acme_directory_url: str = Field(
        "https://acme-v02.api.letsencrypt.org/directory", description="Directory of the certificate authority."
    )
    public_addresses: tuple[str, ...] = Field(
        (), description="This machine's public addresses, which DNS of certified hosts must name."
    )
    acme_challenge: Literal["http", "tls"] = Field("http", description="How the authority checks a host.")

    acme_dns_provider: str = Field(
        "", description="Name of the DNS provider (as Traefik's lego knows it) by whose API wildcard certificates come."
    )
    acme_dns_file: Path | None = Field(
        None, description="File of NAME=VALUE lines with that provider's credentials, given to Traefik alone."
    )
    wildcard_domains: tuple[str, ...] = Field(
        (), description="Domains whose hosts share one certificate for all one label below; empty: the base domain."
    )
    preview_certificates_per_week: int = Field(
        20, ge=0, description="Certificates of their own that hosts of previews get in seven days."
    )

    supervisor: int = Field(
        0, description="Process that runs this one and is asked to change settings; `towline up` sets it."
    )
    processes: Literal["one", "separate"] = Field(
        "one", description="API and worker in one process (55 MB less memory), or in two."
    )
    docker_host: str = Field("", description="Docker Engine socket or URL; empty tries the usual places.")
    docker_cli: str = Field("", description="Docker command used for builds; empty probes for one that has BuildKit.")
    registry_repository: str = Field(
        "", description="Repository prefix built images are pushed to; empty keeps them local."
    )
    network_pool: str = Field("10.112.0.0/13", description="Addresses from which environments get their /23 networks.")

    python_image: str = Field("python:{version}-slim", description="Base image of detected Python projects.")
    node_image: str = Field("node:{version}-slim", description="Base image of detected Node projects.")
    static_image: str = Field("nginx:alpine", description="Base image of detected static sites.")
    static_server: Literal["nginx", "busybox"] = Field("nginx", description="Program in it that serves the files.")
    build_memory_bytes: int = Field(0, description="Memory of one build; 0 means a third of the machine's.")
    build_cpus: float = Field(0, description="CPUs of one build; 0 means half of the machine's, at least one.")
    build_timeout: timedelta = Field(timedelta(minutes=20), description="Longest build.")
    build_concurrency: int = Field(2, description="Builds at once.")
    deploy_concurrency: int = Field(8, description="Deployments at once.")
    minimum_free_disk_bytes: int = Field(_megabytes(512), description="Builds wait below this much free disk.")
    minimum_free_memory_bytes: int = Field(_megabytes(256), description="Builds wait below this much free memory.")
    queue_wait_limit: timedelta = Field(
        timedelta(hours=1), description="Longest wait for disk or memory before failing."
    )
    fetch_timeout: timedelta = Field(timedelta(minutes=5), description="Longest fetch.")
    fetch_max_bytes: int = Field(_megabytes(2048), description="Largest unpacked tree.")
    fetch_max_files: int = Field(200_000, description="Most files in a tree.")
    upload_max_bytes: int = Field(_megabytes(1024), description="Largest upload, packed.")
    push_max_bytes: int = Field(_megabytes(512), ge=1024, description="Largest `git push` to Towline itself.")
    repository_max_bytes: int = Field(
        _megabytes(2048), ge=1024, description="Largest repository of a service that is pushed to Towline itself."
    )
    push_timeout: timedelta = Field(timedelta(hours=1), description="Longest that a pusher waits for the deployment.")

    instance_memory_bytes: int = Field(
        _megabytes(512), description="Memory of one instance unless its service says more."
    )
    instance_cpus: float = Field(0, description="CPUs of one instance; 0 means no limit.")
    health_timeout: timedelta = Field(timedelta(seconds=60), description="Time new instances have to become healthy.")
    drain: timedelta = Field(
        timedelta(seconds=1), description="Wait between the switch and stopping the old instances."
    )
    drain_limit: timedelta = Field(timedelta(seconds=30), description="Longest wait for busy old instances.")
    stop_grace: timedelta = Field(timedelta(seconds=10), description="Time from SIGTERM to SIGKILL.")
    max_surge: int = Field(0, description="Extra instances during a rollout; 0 means as many as the replicas.")
    backup_timeout: timedelta = Field(timedelta(hours=1), description="Longest dump, snapshot or restore.")
    backup_max_bytes: int = Field(_megabytes(65_536), description="Largest dump or snapshot, unpacked.")
    backup_concurrency: int = Field(2, ge=1, description="Dumps, snapshots and restores at once.")
    templates_dir: Path | None = Field(None, description="Folder of further templates, `NAME.yaml` each.")
    kept_releases: int = Field(10, description="Releases per workload that can be rolled back to.")
    kept_runs: int = Field(200, ge=1, description="Runs per cron service that are kept, with their logs.")
    kept_log_days: int = Field(30, description="Days that log lines are kept.")
    kept_log_lines: int = Field(1_000_000, description="Most lines kept per log.")
    kept_log_bytes: int = Field(256 * 1024**2, ge=1024**2, description="About as many bytes are kept per log.")
    run_log_lines_per_second: int = Field(1000, ge=1, description="Lines a service may log per second, bursts aside.")
    run_log_bytes_per_second: int = Field(262_144, ge=1024, description="Bytes a service may log per second likewise.")
    kept_audit_days: int = Field(365, description="Days that entries of the audit log are kept; 0 keeps them for ever.")
    cron_concurrency: int = Field(16, ge=1, description="Runs of cron services at once, per worker.")
    cron_lateness: timedelta = Field(
        timedelta(hours=1),
        ge=timedelta(),
        le=timedelta(days=7),
        description="A run that was missed (Towline was down) is made up for within this time, at most once.",
    )
    health_interval: timedelta = Field(timedelta(seconds=30), description="Time between health checks of a workload.")

    wake_hold: timedelta = Field(
        timedelta(seconds=60), description="Longest that a request which is no page waits for an app that sleeps."
    )
    wake_held_requests: int = Field(200, ge=1, description="Most requests that wait so at once, in each process.")

    lease: timedelta = Field(timedelta(seconds=15), description="A worker silent this long loses its deployments.")
    sweep_interval: timedelta = Field(timedelta(seconds=10), description="Time between two looks for stuck work.")
    session_idle: timedelta = Field(timedelta(days=14), description="A session that is not used for so long ends.")
    session_lifetime: timedelta = Field(timedelta(days=90), description="Longest time until one has to sign in again.")
    bootstrap_api_key: SecretStr = Field(
        SecretStr(""), description="At the first start: value of an administrator's API key, at least 32 characters."
    )
    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="Mail server: smtp://USER:PASSWORD@HOST:587 (with STARTTLS) or smtps://…:465; empty sends no mail.",
    )
    mail_from: str = Field(
        "", description="Sender of Towline's mails, an address or `Name <address>`; empty: towline@{platform_host}."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Detail of Towline's own log.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read every `TOWLINE_…` variable; pydantic's ValidationError names one that is wrong.

        Read here and not by pydantic-settings, which costs each process 9 MB of memory.
        """
        return cls.model_validate(
            {name: environment[key] for name in cls.model_fields if (key := PREFIX + name.upper()) in environment}
        )

    @field_validator("public_addresses", "trusted_proxies", "wildcard_domains", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("base_domain", "platform_host")
    @classmethod
    def _in_one_form(cls, value: str) -> str:
        """As hosts of apps are kept, so that none of them can be Towline's own in other letters."""
        return value.strip().lower().rstrip(".")

    @field_validator("wildcard_domains")
    @classmethod
    def _domains_in_one_form(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(domain.lower().rstrip(".") for domain in value)

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """As networks, so that a mistyped one is told at the start."""
        return tuple(str(ipaddress.ip_network(network, strict=False)) for network in value)

    @property
    def artifacts_dir(self) -> Path:
        """Folder of the bundles."""
        return self.data_dir / "artifacts"

    @property
    def backups_dir(self) -> Path:
        """Folder of dumps and snapshots."""
        return self.artifacts_dir / "backups"

    @property
    def repositories_dir(self) -> Path:
        """Folder of the repositories that are pushed to."""
        return self.data_dir / "repositories"

    @property
    def routes_dir(self) -> Path:
        """Folder that Traefik watches for dynamic configuration."""
        return self.data_dir / "traefik" / "routes"

    @property
    def key_file(self) -> Path:
        """File with the keys that seal secrets."""
        return self.data_dir / "keys" / "secrets.key"

    @property
    def wildcards(self) -> tuple[str, ...]:
        """Domains below which every host has its certificate from a wildcard; none without a way to get one."""
        if not (self.acme_dns_provider and self.acme_email) or self.routing != "traefik":
            return ()
        return self.wildcard_domains or (self.base_domain,)

    @property
    def door_key(self) -> str:
        """What Traefik names itself with where it sends requests through Towline; empty without Towline's Traefik."""
        password = self.traefik_api_password.get_secret_value()
        return hmac.new(password.encode(), b"towline doors", "sha256").hexdigest() if password else ""

    @property
    def effective_platform_host(self) -> str:
        """Host of the API and dashboard."""
        return self.platform_host or f"towline.{self.base_domain}"

    @property
    def own_hosts(self) -> frozenset[str]:
        """Hosts that lead to Towline itself, so that no app may have them."""
        return frozenset({self.effective_platform_host, self.base_domain, "localhost", socket.gethostname().lower()})
