"""Six deployments, each held in another step, and the hand that kills a part of Towline under all of them."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from tests.e2e.survival_gates import Gates
from tests.e2e.survival_machine import GATEWAY, Machine
from tests.e2e.survival_picture import connect
from tests.orchestrators.parts import busybox_tar
from tests.running import RunningTowline, wait_for
from tests.sources.servers import GitServer, Repository, create_repository

from towline.client import TowlineClient
from towline.contract.deployments import DeployRequest
from towline.supervise.installation import get_installation
from towline.supervise.layout import Layout
from towline.supervise.status import Status, find_status
from towline.values import DeploymentStatus, Step

STEPS = (Step.FETCH, Step.BUILD, Step.START, Step.HEALTH, Step.SWITCH, Step.RETIRE)
PROJECT = "shop"
_BASE = "towline-survival/base:1"
_GATED = (Step.FETCH, Step.BUILD, Step.HEALTH, Step.SWITCH)
_REPLICAS = 3
_STEP_SECONDS, _FINAL_SECONDS = 30.0, 60.0
_QUERY = "SELECT status, step, steps, attempt, switched_at, finished_at, error FROM deployments WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a deployment ended during which a part was killed; `seconds` are from the kill to the end."""

    status: DeploymentStatus
    attempt: int
    step_at_kill: str
    error: str
    seconds: float


class Rows:
    """One connection to Towline's own database, made again after PostgreSQL was killed."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._runner = asyncio.Runner()
        self._connection: Any = None

    def find_deployment(self, deployment_id: str) -> Mapping[str, Any] | None:
        """The row, None while PostgreSQL does not answer."""
        try:
            return self._runner.run(self._find(deployment_id))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            self._drop()
            return None

    def close(self) -> None:
        """Drop the connection."""
        self._drop()
        self._runner.close()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _find(self, deployment_id: str) -> Mapping[str, Any]:
        if self._connection is None:
            self._connection = await connect(self._data)
        row = await self._connection.fetchrow(_QUERY, deployment_id)
        assert row is not None
        return {**row, "steps": orjson.loads(row["steps"]), "error": orjson.loads(row["error"] or "null") or {}}


@dataclass
class Scene:
    """A running Towline with one service for each step, all in one project."""

    machine: Machine
    towline: RunningTowline
    git: GitServer
    gated_git: GitServer
    gates: Gates
    rows: Rows
    killed_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _repositories: dict[Step, Repository] = field(default_factory=dict[Step, Repository])
    _version: int = 0

    def prepare(self) -> None:
        """Create the services and deploy each twice without disturbing anything."""
        self.machine.docker("import", "-", _BASE, stdin=busybox_tar())
        self.gated_git.on_request = lambda: self.gates.wait(Step.FETCH)
        for step in STEPS:
            self._repositories[step] = create_repository(self.git.root / step.value)
            server = self.gated_git if step is Step.FETCH else self.git
            source = {"type": "git", "config": {"url": f"{server.url}/{step.value}/.git"}}
            replicas = _REPLICAS if step is Step.START else 1
            self.towline.create_service(PROJECT, step.value, source=source, replicas=replicas, drain_seconds=0)
        self.gates.open(*_GATED)
        for _ in range(2):
            self.commit()
            for deployment_id in [self._request(step) for step in STEPS]:
                row = self._wait_until_final(deployment_id)
                assert row["status"] == DeploymentStatus.SUCCESS, row

    def text_of(self, step: Step) -> str:
        """What the service answers once its newest version serves."""
        return f"{step.value} {self._version}"

    def host_of(self, step: Step) -> str:
        """Host of the step's service."""
        return f"{step.value}-{PROJECT}.{self.towline.base_domain}"

    def commit(self) -> None:
        """Commit another version of every service."""
        self._version += 1
        for step in STEPS:
            dockerfile = _dockerfile(step, port=self.gates.port)
            self._repositories[step].commit(index_html=self.text_of(step), Dockerfile=dockerfile)

    def kill(self, part: str) -> Mapping[Step, Outcome]:
        """Deploy what was committed, kill the part when each deployment is in its step, and wait for all ends."""
        traefik = self._status().parts["traefik"].process_id
        self.gates.close(*_GATED)
        try:
            deployments = self._bring_into_steps(traefik)
            self._kill(part)
        finally:
            with suppress(ProcessLookupError):
                os.kill(traefik, signal.SIGCONT)
            self.gates.drop_connections()
            self.gates.open(*_GATED)
        if part in {"dockerd", "everything"}:
            self.machine.start_docker()
        if part == "everything":
            self._start_towline()
        return {step: self._outcome(deployments[step]) for step in STEPS}

    def is_whole(self) -> bool:
        """Whether every part is ready."""
        status = find_status(Layout(self.towline.folder).status_file)
        return status is not None and status.is_ready

    def _bring_into_steps(self, traefik: int) -> dict[Step, str]:
        """Those that can be held go first; the start, which cannot, goes last."""
        self._keep_busy(Step.RETIRE)
        deployments = {step: self._request(step) for step in STEPS if step is not Step.START}
        for step in (Step.FETCH, Step.BUILD, Step.HEALTH, Step.RETIRE):
            self._wait_until_in(deployments[step], step)
        self._wait_until_in(deployments[Step.SWITCH], Step.HEALTH)
        # A Traefik that does not answer holds the deployment between its decision to switch and the confirmation.
        os.kill(traefik, signal.SIGSTOP)
        self.gates.open(Step.SWITCH)
        self._wait_until(deployments[Step.SWITCH], lambda row: row["switched_at"] is not None)
        deployments[Step.START] = self._request(Step.START)
        self._wait_until_in(deployments[Step.START], Step.START)
        return deployments

    def _request(self, step: Step) -> str:
        """Ask the API itself, since Traefik may be frozen; the deployment's id."""
        port = get_installation(Layout(self.towline.folder)).ports.api
        client = TowlineClient(f"http://127.0.0.1:{port}", self.towline.api_key)
        try:
            return client.services.deploy(PROJECT, step.value, DeployRequest()).id
        finally:
            client.close()

    def _keep_busy(self, step: Step) -> None:
        """Hold a connection to the service's running instance, so that it is not retired."""
        label = f"label=towline.service={step.value}"
        [container] = self.machine.docker("ps", "--quiet", "--filter", label).split()
        address = self.machine.docker(
            "inspect", "--format={{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container
        )
        self.gates.hold_connection(address, 8080)

    def _kill(self, part: str) -> None:
        self.killed_at = datetime.now(UTC)
        if part == "everything":
            self._kill_all_parts()
            self.machine.cut_power()
        elif part == "dockerd":
            self.machine.kill_docker()
        else:
            os.kill(self._status().parts[part].process_id, signal.SIGKILL)

    def _kill_all_parts(self) -> None:
        """The supervisor first, which would start the others again."""
        status = self._status()
        for process_id in (status.supervisor, *(part.process_id for part in status.parts.values() if part.process_id)):
            os.kill(process_id, signal.SIGKILL)

    def _start_towline(self) -> None:
        command = [sys.executable, "-m", "towline", "up", "--data", str(self.towline.folder), "--detach", "--empty"]
        started = subprocess.run(
            command, env=self.towline.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert started.returncode == 0, started.stderr

    def _status(self) -> Status:
        status = find_status(Layout(self.towline.folder).status_file)
        assert status is not None
        return status

    def _outcome(self, deployment_id: str) -> Outcome:
        row = self._wait_until_final(deployment_id)
        return Outcome(
            status=DeploymentStatus(row["status"]),
            attempt=row["attempt"],
            step_at_kill=_step_at(row["steps"], self.killed_at),
            error=row["error"].get("message", ""),
            seconds=(row["finished_at"] - self.killed_at).total_seconds(),
        )

    def _wait_until_in(self, deployment_id: str, step: Step) -> None:
        self._wait_until(deployment_id, lambda row: row["step"] == step)

    def _wait_until(self, deployment_id: str, is_so: Callable[[Mapping[str, Any]], bool]) -> None:
        def look() -> bool | None:
            row = self.rows.find_deployment(deployment_id)
            assert row is None or row["finished_at"] is None, f"ended before it could be hit: {row}"
            return True if row is not None and is_so(row) else None

        wait_for(look, timeout=_STEP_SECONDS, interval=0.002)

    def _wait_until_final(self, deployment_id: str) -> Mapping[str, Any]:
        def look() -> Mapping[str, Any] | None:
            row = self.rows.find_deployment(deployment_id)
            return row if row is not None and row["finished_at"] is not None else None

        return wait_for(look, timeout=_FINAL_SECONDS)


def _dockerfile(step: Step, *, port: int) -> str:
    """Held in one step only: while it is built, or before the app listens."""
    knock = f"busybox wget -q -O /dev/null http://{GATEWAY}:{port}/{step.value}"
    run = f'RUN ["/bin/sh", "-c", "{knock}"]\n' if step is Step.BUILD else ""
    wait = f"until {knock}; do sleep 0.1; done; " if step in {Step.HEALTH, Step.SWITCH} else ""
    command = f'CMD ["/bin/sh", "-c", "{wait}exec httpd -f -p 8080 -h /www"]\n'
    return f"FROM {_BASE}\nCOPY index.html /www/index.html\n{run}EXPOSE 8080\n{command}"


def _step_at(steps: list[dict[str, Any]], moment: datetime) -> str:
    """The step a deployment was in at a moment, by the times it recorded."""
    begun = [step["step"] for step in steps if datetime.fromisoformat(step["started_at"]) <= moment]
    return begun[-1] if begun else "wait"
