"""Doors that hold back what knocks until the test opens them: builds, apps that start, fetches, draining instances."""

import http.server
import socket
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_PATIENCE_SECONDS = 60.0


@dataclass
class Gates:
    """An HTTP server whose path `/NAME` answers once the gate of that name is open."""

    port: int = 0
    _open: dict[str, threading.Event] = field(default_factory=dict[str, threading.Event])
    _connections: list[socket.socket] = field(default_factory=list[socket.socket])

    def open(self, *names: str) -> None:
        """Let through who waits and who comes."""
        for name in names:
            self._gate(name).set()

    def close(self, *names: str) -> None:
        """Hold back who comes from now on."""
        for name in names:
            self._gate(name).clear()

    def wait(self, name: str) -> None:
        """Return once the gate is open."""
        self._gate(name).wait(_PATIENCE_SECONDS)

    def hold_connection(self, address: str, port: int) -> None:
        """Connect to an instance, which is then busy until `drop_connections`."""
        self._connections.append(socket.create_connection((address, port), timeout=5))

    def drop_connections(self) -> None:
        """Let instances be idle."""
        while self._connections:
            self._connections.pop().close()

    def _gate(self, name: str) -> threading.Event:
        return self._open.setdefault(name, threading.Event())


class _Knocks(http.server.BaseHTTPRequestHandler):
    gates: Gates

    def do_GET(self) -> None:
        self.gates.wait(self.path.strip("/"))
        with suppress(OSError):
            self.send_response(200)
            self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing to tell."""


class _Threads(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Who knocked has gone."""


@contextmanager
def open_gates() -> Generator[Gates]:
    """Gates on a port of every address of this network namespace."""
    gates = Gates()
    server = _Threads(("0.0.0.0", 0), type("Knocks", (_Knocks,), {"gates": gates}))
    gates.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield gates
    finally:
        gates.drop_connections()
        server.shutdown()
        server.server_close()
        thread.join()
