"""A service's build and run settings as frozen values, read from the JSON that rows keep."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from towline.config import Settings
from towline.values import BuildSpec, Limits, Probe, VolumeMount


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How instances of a release run; frozen with the release. Names are those of contract.services."""

    start_command: tuple[str, ...] = ()
    release_command: tuple[str, ...] = ()
    probe_kind: str = "auto"
    probe_path: str = "/"
    probe_command: tuple[str, ...] = ()
    health_seconds: float | None = None
    max_surge: int = 0
    memory_bytes: int | None = None
    cpus: float | None = None
    stop_grace_seconds: float | None = None
    drain_seconds: float | None = None
    volumes: tuple[VolumeMount, ...] = ()
    schedule: str = ""
    time_zone: str = "UTC"
    timeout_seconds: float = 3600

    def limits(self, settings: Settings) -> Limits:
        """Limits of one instance, the platform's defaults filled in."""
        return Limits(
            memory_bytes=self.memory_bytes or settings.instance_memory_bytes,
            cpus=self.cpus or settings.instance_cpus,
        )

    def stop_grace(self, settings: Settings) -> timedelta:
        """Time from SIGTERM to SIGKILL."""
        return _duration(self.stop_grace_seconds, settings.stop_grace)

    def drain(self, settings: Settings) -> timedelta:
        """Least time between the switch and stopping the old instances."""
        return _duration(self.drain_seconds, settings.drain)

    def probe(self, settings: Settings, *, port: int | None, has_healthcheck: bool) -> Probe:
        """How an instance is found healthy: `auto` takes the image's check, else HTTP on the port, else staying up.

        An HTTP check nobody configured (empty path) accepts every answer below 500 on `/`.
        """
        deadline = _duration(self.health_seconds, settings.health_timeout)
        if self.probe_kind == "auto":
            kind = "image" if has_healthcheck else "http" if port else "process"
            return Probe(kind=kind, path="", deadline=deadline)
        return Probe(
            kind=self.probe_kind,  # pyright: ignore[reportArgumentType] - the contract allows only Probe's kinds
            path=self.probe_path,
            command=self.probe_command,
            deadline=deadline,
        )


def run_settings(stored: Mapping[str, Any]) -> RunSettings:
    """Run settings from a service's or release's JSON; missing fields have their defaults."""
    health: Mapping[str, Any] = stored.get("health") or {}
    return RunSettings(
        start_command=tuple(stored.get("start_command") or ()),
        release_command=tuple(stored.get("release_command") or ()),
        probe_kind=health.get("kind", "auto"),
        probe_path=health.get("path", "/"),
        probe_command=tuple(health.get("command") or ()),
        health_seconds=health.get("timeout_seconds"),
        max_surge=stored.get("max_surge") or 0,
        memory_bytes=stored.get("memory_bytes"),
        cpus=stored.get("cpus"),
        stop_grace_seconds=stored.get("stop_grace_seconds"),
        drain_seconds=stored.get("drain_seconds"),
        volumes=tuple(VolumeMount(item["name"], item["path"]) for item in stored.get("volumes") or ()),
        schedule=stored.get("schedule") or "",
        time_zone=stored.get("time_zone") or "UTC",
        timeout_seconds=stored.get("timeout_seconds") or 3600,
    )


def build_spec(
    stored: Mapping[str, Any],
    settings: Settings,
    *,
    dockerfile_path: str,
    secrets: Mapping[str, str],
    memory_bytes: int,
    cpus: float,
    use_cache: bool,
) -> BuildSpec:
    """The build of a service from its JSON, with the platform's limits."""
    return BuildSpec(
        dockerfile_path=dockerfile_path,
        context=stored.get("context") or ".",
        target=stored.get("target"),
        arguments=stored.get("build_arguments") or {},
        secrets=secrets,
        builder=stored.get("builder") or "auto",
        use_cache=use_cache,
        memory_bytes=memory_bytes,
        cpus=cpus,
        timeout=settings.build_timeout,
    )


def volume_name(workload_id: str, name: str) -> str:
    """The engine's name of a workload's volume; it outlives renaming the service or its project."""
    return f"towline-{workload_id.replace('_', '-')}-{name}"


def build_fingerprint(spec: BuildSpec, *, bundle_digest: str, is_fork: bool = False) -> str:
    """SHA-256 over the tree's digest and every build setting that can change the image (secrets by their hash).

    What a stranger's build made, with a cache that strangers share, never stands in for one of the project's own.
    """
    secret_hashes = {name: hashlib.sha256(value.encode()).hexdigest() for name, value in spec.secrets.items()}
    facts = [
        "1",
        bundle_digest,
        spec.dockerfile_path,
        spec.context,
        spec.target,
        spec.dockerfile,
        dict(spec.arguments),
        secret_hashes,
        spec.builder,
        spec.start_command,
        *(["fork"] if is_fork else []),
    ]
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _duration(seconds: float | None, default: timedelta) -> timedelta:
    return default if seconds is None else timedelta(seconds=seconds)
