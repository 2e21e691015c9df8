"""Probing: is an instance healthy, and on which port does it listen; early and often while it starts."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import aiohttp

from towline.errors import InstanceExited, OutOfMemory, TowlineError, Unhealthy, WrongPort
from towline.models.base import utc_now
from towline.orchestrators.base import Orchestrator
from towline.values import HealthCheck, HealthStatus, Instance, InstanceState, Probe

_LOOK_SECONDS = 0.25
_FIRST_PAUSE = 0.01
_ELSEWHERE_SECONDS = 5.0
_PORT_LOOK_AFTER = 1.0
_KILLED = 137
_EXIT_HINTS: Final[Mapping[int | None, str]] = {
    126: "Its program cannot be run: it is no executable, or made for another kind of processor. Correct the command.",
    127: "Its program was not found in the image: correct the start command, or the CMD of the Dockerfile.",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What is probed. `port` None lets the probe find it; `is_fixed_port` refuses any other than `port`."""

    probe: Probe
    port: int | None
    is_fixed_port: bool = False


class Prober:
    """Probes instances of one orchestrator; holds the HTTP connections (none are kept alive)."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator

    async def wait_until_healthy(
        self, instances: Sequence[Instance], target: Target
    ) -> list[tuple[Instance, int | None]]:
        """Return each instance, fresh, with the port it answers on, once all are healthy.

        Raises Unhealthy (or WrongPort, InstanceExited, OutOfMemory) for the first that is not in time.
        """
        tasks = [asyncio.ensure_future(self._wait_for_one(instance, target)) for instance in instances]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def check(self, instance: Instance, target: Target) -> HealthCheck:
        """One look at a running instance."""
        began = asyncio.get_running_loop().time()
        if instance.state is not InstanceState.RUNNING:
            problem = f"The instance is not running (exit code {instance.exit_code})."
        else:
            problem = await self._try_once(instance, target.probe, target.port)
        taken = timedelta(seconds=asyncio.get_running_loop().time() - began)
        status = HealthStatus.UNHEALTHY if problem else HealthStatus.HEALTHY
        return HealthCheck(status, utc_now(), response_time=taken, error=problem)

    async def _wait_for_one(self, instance: Instance, target: Target) -> tuple[Instance, int | None]:
        wait = _Wait(instance, target, began=utc_now())
        problem = "it has not answered yet"
        pauses = _pauses(target.probe.interval)
        try:
            async with asyncio.timeout(target.probe.deadline.total_seconds()):
                while True:
                    if wait.is_look_due():
                        await self._look(wait)
                    problem = await self._try_once(wait.instance, target.probe, wait.port, since=wait.began)
                    if not problem:
                        return wait.instance, wait.port
                    await asyncio.sleep(next(pauses))
        except TimeoutError as error:
            seconds = target.probe.deadline.total_seconds()
            raise Unhealthy(f"{instance.name} was not healthy after {seconds:g} s: {problem}") from error

    async def _look(self, wait: "_Wait") -> None:
        """Look at the engine: has it exited; and, when nothing answers, where does it listen?"""
        status = await self._orchestrator.get_status(wait.instance.workload_id)
        found = [item for item in status.instances if item.id == wait.instance.id]
        wait.looked_at = utc_now()
        if not found or found[0].state is InstanceState.EXITED:
            raise _exit_error(found[0] if found else wait.instance)
        wait.instance = found[0]
        if wait.needs_port():
            wait.see_ports(await self._orchestrator.find_listening_ports(wait.instance))

    async def _try_once(
        self, instance: Instance, probe: Probe, port: int | None, *, since: datetime | None = None
    ) -> str:
        """The problem in one sentence; empty when healthy."""
        if probe.kind in {"http", "tcp"}:
            if port is None:
                return "it listens on no port yet"
            return await (_try_http if probe.kind == "http" else _try_tcp)(instance.address, port, probe)
        if probe.kind == "command":
            return await self._try_command(instance, probe)
        if probe.kind == "image":
            return await self._try_image(instance)
        is_settled = since is None or utc_now() - since >= probe.settle
        return "" if is_settled else "it has only just started"

    async def _try_command(self, instance: Instance, probe: Probe) -> str:
        try:
            code, output = await self._orchestrator.execute(
                instance, probe.command, timeout_seconds=probe.timeout.total_seconds()
            )
        except TowlineError as error:
            return error.message
        return "" if code == 0 else f"the check ended with exit code {code}: {output.strip()[-200:]}"

    async def _try_image(self, instance: Instance) -> str:
        status = await self._orchestrator.get_status(instance.workload_id)
        health = next((item.engine_health for item in status.instances if item.id == instance.id), None)
        return "" if health is HealthStatus.HEALTHY else "the image's HEALTHCHECK does not say healthy"


def _pauses(interval: timedelta) -> Iterator[float]:
    """Seconds between tries: short at first, since most apps listen a moment after they were started."""
    longest = interval.total_seconds()
    pause = min(_FIRST_PAUSE, longest)
    while True:
        yield pause
        pause = min(pause * 1.3, longest)


@dataclass
class _Wait:
    """What is known of one instance while it starts."""

    instance: Instance
    target: Target
    began: datetime
    looked_at: datetime | None = None
    found_port: int | None = None
    elsewhere_since: datetime | None = None

    @property
    def port(self) -> int | None:
        return self.target.port if self.found_port is None else self.found_port

    def is_look_due(self) -> bool:
        last = self.looked_at or self.began
        return utc_now() - last >= timedelta(seconds=_LOOK_SECONDS)

    def needs_port(self) -> bool:
        is_due = self.target.port is None or utc_now() - self.began >= timedelta(seconds=_PORT_LOOK_AFTER)
        return self.target.probe.kind in {"http", "tcp"} and is_due

    def see_ports(self, ports: Sequence[int]) -> None:
        """Adopt a found port, or refuse it when another one was set."""
        if not ports or self.target.port in ports:
            self.elsewhere_since = None
            return
        if not self.target.is_fixed_port:
            self.found_port = ports[0]
            return
        self.elsewhere_since = self.elsewhere_since or utc_now()
        if utc_now() - self.elsewhere_since >= timedelta(seconds=_ELSEWHERE_SECONDS):
            listening = " and ".join(map(str, ports[:5]))
            raise WrongPort(
                f"{self.instance.name} listens on port {listening}, not on {self.target.port}.",
                hint=f"Set the service's port to {ports[0]} (or to null, to have it found), then deploy again.",
                field="port",
            )


def _exit_error(instance: Instance) -> TowlineError:
    if instance.is_out_of_memory:
        return OutOfMemory(f"{instance.name} was killed because it used more memory than its limit.")
    if instance.exit_code == _KILLED:
        return InstanceExited(
            f"{instance.name} was killed before it was healthy (exit code 137).",
            hint="Most often that is the memory limit: raise memory_bytes of the service, then deploy again.",
        )
    message = f"{instance.name} ended by itself with exit code {instance.exit_code} before it was healthy."
    return InstanceExited(message, hint=_EXIT_HINTS.get(instance.exit_code))


async def _try_http(address: str, port: int, probe: Probe) -> str:
    """GET the path; an unset path accepts every answer below 500 on `/`, a set one 200-399."""
    timeout = aiohttp.ClientTimeout(total=probe.timeout.total_seconds(), sock_connect=1.0)
    url = f"http://{_bracketed(address)}:{port}{probe.path or '/'}"
    headers = {"User-Agent": "towline-probe"}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(force_close=True)) as session,
            session.get(url, allow_redirects=False, headers=headers) as response,
        ):
            limit = 400 if probe.path else 500
            return "" if response.status < limit else f"GET {probe.path or '/'} answered {response.status}"
    except TimeoutError:
        return f"GET {probe.path or '/'} on port {port} did not answer within {probe.timeout.total_seconds():g} s"
    except (aiohttp.ClientError, OSError):
        return f"nothing answers HTTP on port {port}"


async def _try_tcp(address: str, port: int, probe: Probe) -> str:
    try:
        async with asyncio.timeout(probe.timeout.total_seconds()):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return f"port {port} does not accept connections"
    writer.close()
    return ""


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
