"""Quick looks at whether a server answers, with nothing but sockets so that the supervisor stays small."""

import fcntl
import socket
import struct
from pathlib import Path

_PATIENCE_SECONDS = 0.5
_SIOCGIFADDR = 0x8915


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


def answers_http(port: int, path: str, *, server_name: str = "localhost") -> bool:
    """Whether GET `path` on a loopback port is answered with a status below 400."""
    return 200 <= _http_status(port, path, server_name=server_name) < 400


def speaks_http(port: int) -> bool:
    """Whether something on a loopback port answers HTTP at all."""
    return _http_status(port, "/", server_name="localhost") > 0


def find_interface_address(name: str) -> str:
    """IPv4 address of a network interface of this host; empty when there is none (netdevice(7))."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            answer = fcntl.ioctl(any_socket, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
    except OSError:
        return ""
    return socket.inet_ntoa(answer[20:24])


def _http_status(port: int, path: str, *, server_name: str) -> int:
    request = f"GET {path} HTTP/1.1\r\nHost: {server_name}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS) as connection:
            connection.sendall(request.encode())
            words = connection.recv(64).split(b" ")
    except OSError:
        return 0
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
