"""Debian's docker-registry with a password, for tests that pull and push."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection

from tests.e2e.parts import docker
from tests.ports import free_port
from tests.running import wait_for


@dataclass(frozen=True, slots=True)
class Registry:
    """A running registry that lets `ann` in; only Docker's own loopback rule makes it usable without TLS."""

    address: str
    folder: Path
    username: str = "ann"
    password: str = "geheim ü $x"

    def push(self, tree: Path, name: str) -> str:
        """Build a tree, push it, and remove it from this machine; its full name."""
        full = f"{self.address}/{name}"
        docker("build", "--quiet", "--tag", full, str(tree))
        config = ["--config", str(self.folder / "client")]
        docker(*config, "login", "--username", self.username, "--password", self.password, self.address)
        docker(*config, "push", "--quiet", full)
        docker("image", "rm", "--force", full)
        return full

    def repositories(self) -> list[str]:
        """Names of what was pushed."""
        place = self.folder / "files" / "docker" / "registry" / "v2" / "repositories"
        return sorted(str(path.parent.relative_to(place)) for path in place.rglob("_manifests"))


@contextmanager
def running_registry(folder: Path) -> Generator[Registry]:
    """Run a registry on a loopback port."""
    registry = Registry(f"127.0.0.1:{free_port()}", folder)
    _write_configuration(registry)
    with subprocess.Popen(
        ["docker-registry", "serve", str(folder / "config.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait_for(lambda: _is_listening(registry))
        try:
            yield registry
        finally:
            process.terminate()


def _write_configuration(registry: Registry) -> None:
    folder = registry.folder
    hashed = subprocess.run(
        ["htpasswd", "-Bbn", registry.username, registry.password], capture_output=True, check=True, timeout=20
    )
    (folder / "htpasswd").write_bytes(hashed.stdout)
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/files}}}}\n"
        f"http: {{addr: '{registry.address}'}}\nauth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n"
    )


def _is_listening(registry: Registry) -> bool:
    host, _, port = registry.address.partition(":")
    try:
        create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True
