"""Choose the docker program that can build with BuildKit, once per process, and say why."""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from towline.errors import NotInstalled, TowlineError, Unavailable
from towline.infra.processes import run_process

_PROBE_SECONDS = 15.0
_PASSED_ON = (
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
)
_chosen: dict[tuple[str, str], "DockerCli"] = {}


@dataclass(frozen=True, slots=True)
class DockerCli:
    """A docker program that was tried and builds with BuildKit; `reason` says why it was chosen."""

    path: str
    version: str
    has_buildx: bool
    reason: str = ""

    @property
    def build_arguments(self) -> tuple[str, ...]:
        """How a build command starts: the buildx plugin, or the BuildKit client inside docker before 23."""
        if self.has_buildx:
            return (self.path, "buildx", "build", "--builder", "default", "--load")
        return (self.path, "build")


async def choose_docker_cli(setting: str, docker_host: str) -> DockerCli:
    """The first docker program that reaches the daemon and has BuildKit; remembered for the life of the process.

    Tried in order: `setting` alone when given, else every `docker` in PATH, then /usr/bin/docker.
    Raises Unavailable naming what was wrong with each.
    """
    known = _chosen.get((setting, docker_host))
    if known is None:
        known = await _probe_all(list_candidates(setting, os.environ.get("PATH", "")), docker_host)
        _chosen[setting, docker_host] = known
    return known


def list_candidates(setting: str, search_path: str) -> list[str]:
    """Paths of the docker programs worth trying, without the same file twice."""
    if setting:
        return [setting]
    paths = [Path(folder) / "docker" for folder in search_path.split(":") if folder]
    unique = {path.resolve(): str(path) for path in reversed([*paths, Path("/usr/bin/docker")]) if path.is_file()}
    return list(reversed(unique.values()))


def cli_environment(docker_host: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a docker child: what the client needs of ours, BuildKit on, and `extra`."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # The engine client of the orchestrator knows no docker contexts; both must talk to the same daemon.
    environment |= {"DOCKER_CONTEXT": "default", "DOCKER_BUILDKIT": "1", "DOCKER_CLI_HINTS": "false"}
    if docker_host:
        environment["DOCKER_HOST"] = docker_host
    return {**(extra or {}), **environment}


async def _probe_all(candidates: Sequence[str], docker_host: str) -> DockerCli:
    if not candidates:
        raise NotInstalled("No docker program was found in PATH.", hint="Install Docker (Debian: docker.io).")
    refusals: list[str] = []
    for path in candidates:
        found = await _probe(path, docker_host)
        if isinstance(found, DockerCli):
            why = f"; not used: {', '.join(refusals)}" if refusals else ""
            how = "buildx plugin" if found.has_buildx else "built-in BuildKit"
            return replace(found, reason=f"{path} {found.version} ({how}{why})")
        refusals.append(f"{path} {found}")
    raise Unavailable(
        f"No docker program here can build: {'; '.join(refusals)}.",
        hint="Start the Docker daemon, install the buildx plugin, or set TOWLINE_DOCKER_CLI to a program that has it.",
    )


async def _probe(path: str, docker_host: str) -> DockerCli | str:
    """The program's abilities, or what is wrong with it."""
    version, buildx = await asyncio.gather(
        _answer([path, "version", "--format", "{{.Client.Version}} {{.Server.Version}}"], docker_host),
        _answer([path, "buildx", "version"], docker_host),
    )
    match = re.fullmatch(r"(\d+)(\S*) \S+", version.strip())
    if not match:
        return f"does not reach the daemon ({version.strip().splitlines()[-1] if version.strip() else 'no answer'})"
    if "github.com/docker/buildx" in buildx:
        return DockerCli(path, match[1] + match[2], has_buildx=True)
    if int(match[1]) < 23:
        return DockerCli(path, match[1] + match[2], has_buildx=False)
    return f"{match[1]}{match[2]} has no buildx plugin"


async def _answer(arguments: Sequence[str], docker_host: str) -> str:
    try:
        finished = await run_process(
            arguments, timeout_seconds=_PROBE_SECONDS, environment=cli_environment(docker_host)
        )
    except TowlineError as error:
        return error.message
    except OSError as error:
        return str(error)
    return finished.tail
