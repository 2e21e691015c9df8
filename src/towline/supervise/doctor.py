"""`towline doctor`: the usual causes of trouble, each with what to do."""

import asyncio
import os
import shutil
import socket
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from towline.builders.docker_cli import choose_docker_cli
from towline.errors import NotFound, TowlineError
from towline.supervise.engine_api import Engine, find_engine_host
from towline.supervise.identity import find_running_record
from towline.supervise.installation import Installation, get_installation
from towline.supervise.layout import Layout
from towline.supervise.options import layout_of
from towline.supervise.ports import PortState, look_at_port
from towline.supervise.status import PartState, find_status

_LOW_DISK_BYTES = 2 * 1024**3
_LOW_MEMORY_BYTES = 512 * 1024**2
_EARLIEST_SANE_TIME = 1_767_225_600  # 2026-01-01: certificates fail on a clock that is behind


class Verdict(StrEnum):
    """How a check ended."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked thing: what was seen and, unless it is good, what to do."""

    subject: str
    verdict: Verdict
    message: str
    hint: str = ""


def doctor(data: Path | None = None) -> list[Finding]:
    """Every check, in the order in which things depend on each other. Changes nothing."""
    layout = layout_of(data)
    installation = _find_installation(layout)
    findings = [_look_at_docker(), _look_at_buildkit(), _look_at_disk(layout), _look_at_memory(), _look_at_clock()]
    if installation is None:
        return [*findings, *_look_at_free_ports()]
    return [*findings, *_look_at_parts(layout), *_look_at_own_ports(layout, installation), _look_at_dns(installation)]


def _find_installation(layout: Layout) -> Installation | None:
    try:
        return get_installation(layout)
    except NotFound:
        return None


def _look_at_docker() -> Finding:
    try:
        engine = Engine(find_engine_host())
        return Finding("Docker", Verdict.GOOD, f"Docker {engine.get_version()} answers at {engine.host}.")
    except TowlineError as error:
        hint = "Run `towline up` as root: it installs and starts Docker." if os.geteuid() else error.hint
        return Finding("Docker", Verdict.BAD, error.message, hint)


def _look_at_buildkit() -> Finding:
    try:
        chosen = asyncio.run(choose_docker_cli(os.environ.get("TOWLINE_DOCKER_CLI", ""), ""))
    except TowlineError as error:
        return Finding("BuildKit", Verdict.BAD, error.message, error.hint)
    return Finding("BuildKit", Verdict.GOOD, f"Builds use {chosen.path} ({chosen.version}): {chosen.reason}")


def _look_at_disk(layout: Layout) -> Finding:
    place = next(folder for folder in (layout.root, *layout.root.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    message = f"{free / 1024**3:.1f} GB are free below {place}."
    if free >= _LOW_DISK_BYTES:
        return Finding("Disk", Verdict.GOOD, message)
    return Finding("Disk", Verdict.WARNING, message, "Free space: `docker system df` shows what images and cache take.")


def _look_at_memory() -> Finding:
    lines = Path("/proc/meminfo").read_text().splitlines()
    available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    message = f"{available / 1024**2:.0f} MB of memory are available."
    if available >= _LOW_MEMORY_BYTES:
        return Finding("Memory", Verdict.GOOD, message)
    return Finding("Memory", Verdict.WARNING, message, "Builds wait for memory: stop something, or add memory or swap.")


def _look_at_clock() -> Finding:
    if time.time() >= _EARLIEST_SANE_TIME:
        return Finding("Clock", Verdict.GOOD, f"The clock says {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}.")
    return Finding("Clock", Verdict.BAD, "The clock is years behind.", "Set it (`timedatectl set-ntp true`).")


def _look_at_free_ports() -> list[Finding]:
    states = {port: look_at_port(port) for port in (80, 443)}
    return [_port_finding(port, state) for port, state in states.items()]


def _port_finding(port: int, state: PortState) -> Finding:
    if state is PortState.FREE:
        return Finding("Ports", Verdict.GOOD, f"Port {port} is free.")
    hint = f"Stop that program, or run Towline on other ports (`towline up --port {port + 8000}`)."
    if state is PortState.FORBIDDEN:
        hint = "Run `towline up` as root, or use ports from 1024 on."
    return Finding("Ports", Verdict.WARNING, f"Port {port} is {state}.", hint)


def _look_at_parts(layout: Layout) -> list[Finding]:
    status = find_status(layout.status_file)
    if status is None:
        return [Finding("Towline", Verdict.BAD, "Towline does not run.", "Start it with `towline up`.")]
    findings: list[Finding] = []
    for name, part in status.parts.items():
        if part.state is PartState.READY:
            findings.append(Finding(part.title, Verdict.GOOD, f"{part.title} is ready{_restarts_text(part.restarts)}."))
            continue
        message = f"{part.title} is {part.state}. {part.reason}".strip()
        findings.append(Finding(part.title, Verdict.BAD, message, f"Read {layout.log_file(name)}."))
    return findings


def _restarts_text(restarts: int) -> str:
    return f", restarted {restarts} time{'' if restarts == 1 else 's'} since `towline up`" if restarts else ""


def _look_at_own_ports(layout: Layout, installation: Installation) -> list[Finding]:
    """With Traefik up the ports are rightly taken; without it, somebody else may have them."""
    if not installation.has_traefik or find_running_record(layout.pid_file("traefik")):
        return []
    ports = (installation.ports.http, installation.ports.https)
    return [_port_finding(port, look_at_port(port)) for port in ports]


def _look_at_dns(installation: Installation) -> Finding:
    host = f"towline-doctor.{installation.base_domain}"
    if installation.base_domain == "localhost" or installation.base_domain.endswith(".localhost"):
        return Finding("DNS", Verdict.GOOD, f"*.{installation.base_domain} needs no DNS: browsers know it.")
    try:
        addresses = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, None)})
    except OSError:
        hint = f"Add a wildcard record: *.{installation.base_domain} to this server's address."
        return Finding("DNS", Verdict.WARNING, f"{host} has no address.", hint)
    return Finding("DNS", Verdict.GOOD, f"*.{installation.base_domain} leads to {', '.join(addresses)}.")
