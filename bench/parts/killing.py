"""Killing replicas under load: what fails, and how soon no request is sent to the dead one any more."""

import base64
import http.client
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.parts.bare import Engine
from bench.parts.loading import CountsDoor
from bench.parts.report import Run
from tests.running import RunningTowline, wait_for

from towline.supervise.installation import get_installation, traefik_api_password
from towline.supervise.layout import Layout

_REPLICAS = 3
_SETTLE_SECONDS = 1.5


@dataclass
class Killing:
    """Per kill: failed requests, and the seconds until the router had let go of it and the engine told of it."""

    failed: list[float] = field(default_factory=list[float])
    routed_away: list[float] = field(default_factory=list[float])
    engine_knows: list[float] = field(default_factory=list[float])


class TraefikWatch:
    """Asks the router which servers it sends requests to."""

    def __init__(self, towline: RunningTowline) -> None:
        layout = Layout(towline.folder)
        self._port = get_installation(layout).ports.traefik_api
        secret = base64.b64encode(f"towline:{traefik_api_password(layout)}".encode()).decode()
        self._headers = {"Authorization": f"Basic {secret}"}

    def wait_until_without(self, address: str) -> None:
        """Return once no service of the router has a server at this address."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        wanted = f"//{address}:".encode()
        deadline = time.monotonic() + 30
        try:
            while time.monotonic() < deadline:
                connection.request("GET", "/api/http/services?per_page=1000", headers=self._headers)
                answer = connection.getresponse()
                content = answer.read()
                assert answer.status == 200, f"Traefik's API answered {answer.status}"
                if wanted not in content:
                    return
                time.sleep(0.005)
        finally:
            connection.close()
        raise AssertionError(f"Traefik still sends requests to {address}")


def kill_replicas(
    run: Run, towline: RunningTowline, engine: Engine, door: CountsDoor, *, bring_up: Callable[[int], None]
) -> Killing:
    """Kill one of three replicas, again and again, each time after all three serve."""
    watch, killing = TraefikWatch(towline), Killing()
    installation_id = get_installation(Layout(towline.folder)).installation_id
    for _ in run.rounds("kill", quick=2, full=20, by=38):
        bring_up(_REPLICAS)
        time.sleep(_SETTLE_SECONDS)
        labels = {"towline__instance-of": installation_id, "towline__service": "web"}
        chosen = random.choice(engine.list_containers(**labels))
        (network,) = chosen["NetworkSettings"]["Networks"].values()
        before = door.read()
        _kill(engine, watch, killing, container_id=chosen["Id"], address=network["IPAddress"])
        time.sleep(_SETTLE_SECONDS)
        killing.failed.append(door.read().since(before).failed)
    return killing


def _kill(engine: Engine, watch: TraefikWatch, killing: Killing, *, container_id: str, address: str) -> None:
    engine_knew: list[float] = []

    def follow() -> None:
        engine.ask("POST", f"/containers/{container_id}/wait?condition=not-running")
        engine_knew.append(time.monotonic())

    threading.Thread(target=follow, daemon=True).start()
    time.sleep(0.1)
    killed_at = time.monotonic()
    # Beside, since the engine answers this call only once it has cleaned up after the dead container.
    threading.Thread(target=engine.kill, args=[container_id], daemon=True).start()
    watch.wait_until_without(address)
    killing.routed_away.append(time.monotonic() - killed_at)
    wait_for(lambda: engine_knew or None, timeout=10)
    killing.engine_knows.append(engine_knew[0] - killed_at)
