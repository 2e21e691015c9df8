"""A machine of a test's own: a network namespace, and in it a dockerd with a data folder of its own."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.running import wait_for

from towline.supervise.docker_engine import daemon_arguments, find_dockerd

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
GATEWAY = "10.219.0.1"
"""Address of the machine itself, as its containers and builds see it."""

_KNOWN = frozenset(
    {"containerd", "containerd-shim", "dockerd", "ip", "postgres", "python", "runc", "traefik", "valkey-server"}
)


@dataclass
class Machine:
    """One dockerd that a test may kill. Its own programs and those the test starts share one network namespace."""

    folder: Path
    daemon: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def docker_host(self) -> str:
        """Address of the daemon."""
        return f"unix://{self.folder}/docker.sock"

    def start_docker(self) -> None:
        """Start the daemon as `towline up` does, and wait until it answers."""
        dockerd = find_dockerd()
        assert dockerd is not None
        (self.folder / "daemon.json").write_text("{}")
        places = {"data-root": "data", "exec-root": "exec", "pidfile": "docker.pid", "config-file": "daemon.json"}
        arguments = [
            *daemon_arguments(dockerd, has_settings=False, has_swarm=False),
            *(f"--{name}={self.folder / place}" for name, place in places.items()),
            f"--host={self.docker_host}",
            f"--bip={GATEWAY}/24",
        ]
        with (self.folder / "dockerd.log").open("ab") as log:
            self.daemon = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *arguments], stdout=log, stderr=log)
        wait_for(lambda: self._answers() or None, timeout=30)

    def kill_docker(self) -> None:
        """kill -9 the daemon; return once its containerd is gone, for which a new daemon waits in vain."""
        assert self.daemon is not None
        containerd = int((self.folder / "exec/containerd/containerd.pid").read_text())
        self.daemon.kill()
        self.daemon.wait()
        wait_for(lambda: None if Path(f"/proc/{containerd}").exists() else True)

    def cut_power(self) -> None:
        """kill -9 the daemon and every container, as a power failure would."""
        self.kill_docker()
        self.kill_containers()

    def kill_containers(self) -> None:
        """Kill all processes of all containers, and those that mind them."""
        for process_id in self.list_shims():
            for number in (*_children(process_id), process_id):
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)

    def docker(self, *arguments: str, stdin: bytes | None = None) -> str:
        """What the docker command prints."""
        command = ["/usr/bin/docker", f"--host={self.docker_host}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=60).stdout.decode().strip()

    def inspect(self, kind: str) -> list[dict[str, object]]:
        """Everything the daemon says of its objects of a kind (`container`, `image`)."""
        listing = ["ls", "--all", "--quiet", "--no-trunc"]
        found = sorted(set(self.docker(kind, *listing).split()))
        return json.loads(self.docker(kind, "inspect", *found)) if found else []

    def list_shims(self) -> list[int]:
        """Processes that mind the containers of this engine, one for each; they outlive it."""
        found: list[int] = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                arguments = (process / "cmdline").read_bytes()
                if arguments.startswith(b"/usr/bin/containerd-shim") and os.fsencode(self.folder) in arguments:
                    found.append(int(process.name))
        return found

    def list_strangers(self) -> list[str]:
        """Programs that run in the namespace and are neither a server, nor Towline's, nor an engine's."""
        here = Path("/proc/self/ns/net").readlink()
        found: list[str] = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (process / "ns/net").readlink() == here:
                    found.append((process / "exe").readlink().name)
        return sorted(name for name in found if not any(name.startswith(known) for known in _KNOWN))

    def _answers(self) -> bool:
        assert self.daemon is not None
        assert self.daemon.poll() is None, (self.folder / "dockerd.log").read_text()[-3000:]
        with suppress(subprocess.CalledProcessError):
            self.docker("version")
            return True
        return False


@contextmanager
def machine() -> Generator[Machine]:
    """The calling thread, and what it starts, is in the machine's network namespace until the block is left."""
    folder = Path(tempfile.mkdtemp(prefix="towline-machine-"))
    made = Machine(folder)
    try:
        with _network_namespace():
            try:
                made.start_docker()
                yield made
            finally:
                _end(made)
    finally:
        subprocess.run(["umount", "--recursive", str(folder / "data")], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _end(made: Machine) -> None:
    if made.daemon is None:
        return
    with suppress(subprocess.CalledProcessError):
        if containers := made.docker("ps", "--all", "--quiet").split():
            made.docker("rm", "--force", "--volumes", *containers)
    made.daemon.send_signal(signal.SIGTERM)
    made.daemon.wait(30)
    made.kill_containers()


def _children(process_id: int) -> list[int]:
    """Processes below another, the furthest first."""
    listed = Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
    return [number for child in map(int, listed) for number in (*_children(child), child)]


@contextmanager
def _network_namespace() -> Generator[None]:
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        assert libc.unshare(_NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)
        yield
    finally:
        assert libc.setns(home, _NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
        os.close(home)
