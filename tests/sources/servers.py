"""Real git servers for the tests: `git http-backend` behind HTTP or HTTPS, sshd, and servers that misbehave."""

import base64
import contextlib
import http.server
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada Lovelace",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada Lovelace",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_ALLOW_PROTOCOL": "file",
}


def git(*arguments: str, folder: Path, stdin: bytes | None = None) -> str:
    """Run git in a folder, as the author of the test's commits."""
    finished = subprocess.run(
        ["git", *arguments], cwd=folder, env=_ENVIRONMENT, input=stdin, check=True, capture_output=True, timeout=30
    )
    return finished.stdout.decode().strip()


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with a work tree, to be served."""

    folder: Path

    @property
    def url(self) -> str:
        """Its address on this machine."""
        return f"file://{self.folder}"

    def commit(self, message: str = "Change", **files: str) -> str:
        """Write files (`__` in a name stands for a slash, `_` for a dot), commit, and return the commit's id."""
        for name, text in files.items():
            path = self.folder / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self.commit_all(message)

    def commit_all(self, message: str = "Change") -> str:
        """Commit everything in the work tree."""
        git("add", "--all", folder=self.folder)
        git("commit", "--quiet", "--allow-empty", "-m", message, folder=self.folder)
        return git("rev-parse", "HEAD", folder=self.folder)

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run git in the work tree."""
        return git(*arguments, folder=self.folder, stdin=stdin)


def create_repository(folder: Path) -> Repository:
    """An empty repository whose branch is `main`."""
    folder.mkdir(parents=True)
    git("init", "--quiet", "--initial-branch=main", folder=folder)
    return Repository(folder)


@dataclass
class GitServer:
    """Serves every repository under `root` at `url/NAME/.git`; settings may be changed while it runs."""

    root: Path
    url: str = ""
    authorization: str = ""
    passes_protocol: bool = True
    redirect_to: str = ""
    holds_back: bool = False
    on_request: Callable[[], None] = lambda: None
    seen: list[str] = field(default_factory=list[str])
    closed: threading.Event = field(default_factory=threading.Event)

    def require(self, username: str, password: str) -> None:
        """Ask for basic authentication from now on."""
        self.authorization = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class _Requests(http.server.BaseHTTPRequestHandler):
    """Runs `git http-backend` as a CGI program."""

    protocol_version = "HTTP/1.0"
    git_server: GitServer

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        server = self.git_server
        server.seen.append(self.headers.get("Authorization", ""))
        server.on_request()
        if server.redirect_to:
            self._refuse(HTTPStatus.FOUND, "Location", server.redirect_to + self.path)
        elif server.authorization and self.headers.get("Authorization") != server.authorization:
            self._refuse(HTTPStatus.UNAUTHORIZED, "WWW-Authenticate", 'Basic realm="git"')
        else:
            self._run_backend()

    def _refuse(self, status: HTTPStatus, header: str, value: str) -> None:
        self.send_response(status)
        self.send_header(header, value)
        self.end_headers()

    def _run_backend(self) -> None:
        path, _, query = self.path.partition("?")
        environment = _ENVIRONMENT | {
            "GIT_PROJECT_ROOT": str(self.git_server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", "") if self.git_server.passes_protocol else "",
        }
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        finished = subprocess.run(
            ["git", "http-backend"], env=environment, input=body, capture_output=True, check=False, timeout=30
        )
        head, _, content = finished.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        self.send_header("Content-Length", str(len(content)))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self._send(content)

    def _send(self, content: bytes) -> None:
        if not self.git_server.holds_back or len(content) < 1_000_000:
            self.wfile.write(content)
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(content[:-100])
            self.wfile.flush()
            self.git_server.closed.wait(20)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Tests read `seen` instead."""


class _Threads(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away, or did not trust the certificate."""


@contextlib.contextmanager
def serve_git(root: Path, *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> Generator[GitServer]:
    """A git server on a port of an address, a loopback one if none is given."""
    state = GitServer(root)
    server = _Threads((address, 0), type("Requests", (_Requests,), {"git_server": state}))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.url = f"{'https' if tls else 'http'}://{address}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.closed.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def serve_silence() -> Generator[str]:
    """The address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/repository.git"


@dataclass(frozen=True, slots=True)
class SshServer:
    """An sshd that lets the holder of one key in."""

    port: int
    private_key: str
    host_key: str


@contextlib.contextmanager
def serve_ssh(folder: Path) -> Generator[SshServer]:
    """A real sshd for the current user on a loopback port."""
    folder.mkdir(mode=0o700)
    for name in ("host", "client"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True, timeout=30
        )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "client.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
    }
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin") or "sshd"
    process = subprocess.Popen([program, "-D", "-q", "-f", str(folder / "sshd_config")])
    try:
        _wait_for_port(port)
        public = (folder / "host.pub").read_text().split()
        yield SshServer(port, (folder / "client").read_text(), f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
    finally:
        process.terminate()
        process.wait(10)


def _wait_for_port(port: int) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.01)
    raise AssertionError(f"nothing listens on {port}")
