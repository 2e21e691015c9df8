"""The load generator as a child process, and the counts that it or its like in a container tells."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ports import free_port

PROGRAM = Path(__file__).parent / "load.py"


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of a load between two moments."""

    sent: int = 0
    failed: int = 0
    streams: int = 0
    cut: int = 0
    failures: tuple[tuple[float, str, str], ...] = ()
    latency: Mapping[str, float] = field(default_factory=dict[str, float])

    def since(self, before: "Counts") -> "Counts":
        """What came after `before`; the answer times stay those of the whole."""
        return Counts(
            self.sent - before.sent,
            self.failed - before.failed,
            self.streams - before.streams,
            self.cut - before.cut,
            self.failures[len(before.failures) :],
            self.latency,
        )

    def in_words(self) -> str:
        """Requests and streams in one line."""
        times = ", ".join(f"{name.removesuffix('_ms')} {value:.3g} ms" for name, value in self.latency.items())
        streams = f"{self.cut} of {self.streams + self.cut} streams cut"
        return f"{self.failed} of {self.sent} requests failed, {streams}; {times}"


@dataclass(frozen=True, slots=True)
class CountsDoor:
    """Where a load tells its counts."""

    address: str
    port: int
    host: str = ""

    def read(self) -> Counts:
        """The counts so far."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=30)
        try:
            connection.request("GET", "/", headers={"Host": self.host} if self.host else {})
            found: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return Counts(
            found["sent"],
            found["failed"],
            found["streams"],
            found["cut"],
            tuple((at, kind, reason) for at, kind, reason in found["failures"]),
            {name: found[name] for name in ("p50_ms", "p99_ms", "slowest_ms")},
        )


@contextmanager
def load_on(address: str, port: int, *, host: str, rate: float, streams: int, longest: float) -> Generator[CountsDoor]:
    """Load an address from a process of its own for as long as the block runs."""
    counts_port = free_port()
    arguments = [address, str(port), host, str(rate), str(streams), str(longest), str(counts_port)]
    process = subprocess.Popen([sys.executable, str(PROGRAM), *arguments])
    door = CountsDoor("127.0.0.1", counts_port)
    try:
        _wait_until_it_counts(door, process)
        yield door
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_it_counts(door: CountsDoor, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if door.read().sent:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the load generator did not start")
