"""Build an image with BuildKit through the docker client: the command as a value, and its runner."""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import aiodocker

from towline.builders.cgroups import StepLimits
from towline.builders.client_config import has_client_proxies, write_client_config
from towline.builders.docker_cli import DockerCli, choose_docker_cli, cli_environment
from towline.builders.failures import build_failure, timeout_failure
from towline.builders.image_facts import image_from
from towline.builders.progress import Progress
from towline.builders.recipe import Recipe
from towline.builders.step_limits import LimitedBuild, StepWatch
from towline.errors import DiskFull, InvalidInput, TimedOut, Unavailable
from towline.infra.processes import run_process
from towline.infra.scratch import memory_folder, scratch_folder
from towline.values import BuildSpec, Image, Report

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
# Variables that would steer the docker client itself, its credential programs or their interpreters: a source may
# name its build arguments as it likes, so these values go into the argument list and never into the environment.
_STEERING: Final = re.compile(
    r"(?i)(LD_|DYLD_|GLIBC_|GCONV_|MALLOC_|GO|DOCKER_|BUILDKIT_|BUILDX_|MOBY_|COMPOSE_|OTEL_|XDG_|SSL_|SSH_|AWS_|GOOGLE_"
    r"|AZURE_|GIT_|BASH|PYTHON|PERL|RUBY|JAVA|_JAVA|NODE_(OPTIONS|PATH|EXTRA)|PATH$|HOME$|USER$|TMPDIR$|TERM|LANG|LC_"
    r"|LOC|ENV$|IFS$|PS\d$|SHELL|HOSTALIASES|RES_OPTIONS|TZ|.*_PROXY$)"
)
_CACHE_SCOPE: Final = "BUILDKIT_CACHE_MOUNT_NS"
_SURELY_SEEN_SECONDS: Final = 0.5
_DECLARES_NO_PROXY: Final = re.compile(r"(?im)^\s*ARG\s.*\bNO_PROXY\b")


@dataclass(frozen=True, slots=True)
class BuildFiles:
    """The private files of one build: the Dockerfile used, the file the image's id goes to, and the secrets."""

    dockerfile: Path
    image_id: Path
    secrets: Mapping[str, Path]

    @property
    def client(self) -> Path:
        """The docker client's configuration, with the registries that this build may pull from."""
        return self.image_id.with_name("client")


def build_command(
    cli: DockerCli, spec: BuildSpec, *, context: Path, files: BuildFiles, tag: str, labels: Sequence[str]
) -> list[str]:
    """The whole docker command of a build; no secret and no ordinary build argument's value is in it."""
    arguments = [*cli.build_arguments, "--progress=plain", f"--file={files.dockerfile}", f"--tag={tag}"]
    arguments.append(f"--iidfile={files.image_id}")
    arguments += [f"--label={label}" for label in labels]
    arguments += [f"--target={spec.target}"] if spec.target else []
    arguments += [] if spec.use_cache else ["--no-cache"]
    for name, value in spec.arguments.items():
        arguments.append(f"--build-arg={name}={value}" if _STEERING.match(name) else f"--build-arg={name}")
    if spec.cache_scope:
        # Behind the source's own arguments, of which the last counts: else one project could fill another's caches.
        arguments.append(f"--build-arg={_CACHE_SCOPE}={spec.cache_scope}")
    arguments += [f"--secret=id={name},src={path}" for name, path in files.secrets.items()]
    return [*arguments, "--", str(context)]


def build_environment(spec: BuildSpec, *, docker_host: str, client: Path) -> dict[str, str]:
    """The whole environment of the docker child, with the values of the build arguments."""
    arguments = {name: value for name, value in spec.arguments.items() if not _STEERING.match(name)}
    return {**cli_environment(docker_host, arguments), "DOCKER_CONFIG": str(client)}


class BuildKit:
    """Runs builds on one daemon, each within limits on memory, CPU and time.

    `memory_bytes` and `cpus` apply where a spec says 0; 0 here means a third of the machine's memory and half of its
    CPUs, at least one. `total_memory_bytes` bounds all builds together (0: three quarters of the machine). Secrets and
    generated Dockerfiles lie in locked folders under `scratch_dir` (default: a folder in memory) while they are needed.
    """

    def __init__(
        self,
        *,
        docker_cli: str = "",
        docker_host: str = "",
        memory_bytes: int = 0,
        cpus: float = 0,
        total_memory_bytes: int = 0,
        scratch_dir: Path | None = None,
        cgroup_mount: Path = Path("/sys/fs/cgroup"),
    ) -> None:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self._docker_cli = docker_cli
        self._docker_host = docker_host
        self._api_version = "auto"
        self._memory_bytes = memory_bytes or machine // 3
        self._cpus = cpus or max(1.0, (os.cpu_count() or 1) / 2)
        self._scratch_dir = scratch_dir or memory_folder("builds")
        self._watch = StepWatch(
            docker_host=docker_host, total_memory_bytes=total_memory_bytes or machine * 3 // 4, top=cgroup_mount
        )

    async def build(self, recipe: Recipe, spec: BuildSpec, *, tag: str, labels: Sequence[str], report: Report) -> Image:
        """Build and return the image; see Builder for the errors."""
        _check(spec)
        cli = await choose_docker_cli(self._docker_cli, self._docker_host)
        limits = StepLimits(spec.memory_bytes or self._memory_bytes, spec.cpus or self._cpus)
        await report(f"Building with {cli.reason}; at most {limits}, {spec.timeout.total_seconds():g} s.")
        async with (
            private_files(recipe, spec, scratch_dir=self._scratch_dir) as files,
            self._watch.limited(limits, report=report) as build,
        ):
            marked = await asyncio.to_thread(_marked, spec, build, dockerfile=files.dockerfile)
            command = build_command(cli, marked, context=recipe.context, files=files, tag=tag, labels=labels)
            progress = Progress()
            environment = build_environment(marked, docker_host=self._docker_host, client=files.client)
            await self._run(command, marked, environment=environment, progress=progress, build=build, report=report)
            if progress.longest_run >= _SURELY_SEEN_SECONDS:
                await self._watch.say_if_unseen(build, report)
            image_id = await asyncio.to_thread(files.image_id.read_text)
        return await self._inspect(image_id.strip())

    async def _run(
        self,
        command: list[str],
        spec: BuildSpec,
        *,
        environment: Mapping[str, str],
        progress: Progress,
        build: LimitedBuild,
        report: Report,
    ) -> None:
        async def read(line: str) -> None:
            if (shown := progress.read(line)) is not None:
                await report(shown)

        seconds = spec.timeout.total_seconds()
        try:
            finished = await run_process(command, timeout_seconds=seconds, environment=environment, report=read)
        except TimedOut as error:
            raise timeout_failure(progress, seconds=seconds) from error
        if finished.exit_code != 0:
            raise build_failure(
                progress,
                exit_code=finished.exit_code,
                tail=finished.tail,
                is_out_of_memory=build.is_out_of_memory,
                memory_bytes=build.limits.memory_bytes,
            )

    async def _inspect(self, image_id: str) -> Image:
        try:
            async with aiodocker.Docker(self._docker_host or None, api_version=self._api_version) as docker:
                image = image_from(await docker.images.inspect(image_id))
                self._api_version = docker.api_version  # to ask for it takes the daemon longer than to inspect
                return image
        except (aiodocker.DockerError, OSError, ValueError) as error:
            self._api_version = "auto"
            raise Unavailable(f"The image {image_id} was built, but Docker does not show it: {error}.") from error


@asynccontextmanager
async def private_files(recipe: Recipe, spec: BuildSpec, *, scratch_dir: Path) -> AsyncGenerator[BuildFiles]:
    """Write the Dockerfile and the secrets of one build into a locked folder of its own under `scratch_dir`."""
    async with scratch_folder(scratch_dir) as folder:
        try:
            files = await asyncio.to_thread(_write_files, folder, recipe, spec=spec)
        except OSError as error:
            raise DiskFull(f"The files of the build could not be written: {error.strerror}.") from error
        yield files


def _write_files(folder: Path, recipe: Recipe, *, spec: BuildSpec) -> BuildFiles:
    secrets: dict[str, Path] = {}
    for number, (name, value) in enumerate(spec.secrets.items()):
        secrets[name] = folder / f"secret-{number}"
        secrets[name].touch(mode=0o600)
        secrets[name].write_bytes(value.encode())
    dockerfile = recipe.dockerfile or folder / "recipe" / "Dockerfile"
    if recipe.dockerfile is None:
        dockerfile.parent.mkdir()
        dockerfile.write_text(recipe.text)
    if recipe.dockerfile is None and recipe.ignore is not None:
        dockerfile.with_name("Dockerfile.dockerignore").write_text(recipe.ignore)
    files = BuildFiles(dockerfile, folder / "image-id", secrets)
    write_client_config(files.client, spec.registries)
    return files


def _marked(spec: BuildSpec, build: LimitedBuild, *, dockerfile: Path) -> BuildSpec:
    """The spec with the build's marker in NO_PROXY, a variable BuildKit gives to every step and keeps out of the cache.

    Left alone where that would matter: a Dockerfile that declares NO_PROXY, a docker client with proxies of its own.
    """
    if not build.is_enforced or _DECLARES_NO_PROXY.search(dockerfile.read_text(errors="replace")):
        return spec
    if has_client_proxies():
        return spec
    arguments = dict(spec.arguments)
    given = [arguments.pop(name) for name in ("no_proxy", "NO_PROXY") if name in arguments]
    return replace(spec, arguments={**arguments, "NO_PROXY": ",".join([*given[-1:], build.marker])})


def _check(spec: BuildSpec) -> None:
    if spec.timeout <= timedelta():
        raise InvalidInput("The time limit of a build must be more than nothing.", field="timeout")
    _check_text("target", spec.target or "")
    _check_text("dockerfile", spec.dockerfile or "", limit=2**20)
    for field, values in (("arguments", spec.arguments), ("secrets", spec.secrets)):
        for name, value in values.items():
            if not _NAME.fullmatch(name):
                raise InvalidInput(f"{name!r} is not a name for build {field}: use letters, digits and _.", field=field)
            _check_text(field, value)


def _check_text(field: str, text: str, *, limit: int = 100_000) -> None:
    """Refuse what no argument, environment or file can carry; Linux bounds one argument to 128 kB (execve(2))."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{field} contains text that is not valid Unicode.", field=field) from error
    if size > limit or "\0" in text:
        raise InvalidInput(f"{field} contains a zero byte or more than {limit} bytes.", field=field)
