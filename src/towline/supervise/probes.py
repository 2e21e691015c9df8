"""Quick looks at whether a server answers, with nothing but sockets so that the supervisor stays small."""

import socket
from pathlib import Path

_PATIENCE_SECONDS = 0.5


def answers_redis(socket_path: Path) -> bool:
    """Whether a Valkey or Redis server answers PING on its socket (not while it is still loading)."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE_SECONDS)
            connection.connect(str(socket_path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def answers_http(port: int, path: str, *, host: str = "127.0.0.1", server_name: str = "localhost") -> bool:
    """Whether GET `path` on a local port is answered with 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {server_name}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE_SECONDS) as connection:
            connection.sendall(request.encode())
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False
