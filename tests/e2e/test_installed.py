"""Towline as a package: up, up again, down, up once more, without the checkout."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from tests.e2e.parts import docker
from tests.ports import free_port
from tests.running import remove_what_docker_keeps, wait_for

from towline.client.transport import LocalhostTransport

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[2]


@dataclass
class Installed:
    """A Towline in an environment of its own; `run` gives what its command printed as JSON."""

    program: Path
    data: Path
    ports: tuple[int, int]
    environment: dict[str, str]

    def run(self, *arguments: str, expected: int = 0) -> dict[str, object]:
        """Run a command somewhere outside the checkout."""
        finished = subprocess.run(
            [self.program, *arguments, "--data", self.data, "--json"],
            cwd="/",
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert finished.returncode == expected, finished.stdout + finished.stderr
        return json.loads(finished.stdout) if finished.stdout.strip() else {}

    def up(self, *options: str) -> dict[str, object]:
        """`towline up`."""
        http, https = self.ports
        return self.run("up", "--port", str(http), "--https-port", str(https), "--detach", *options)

    def get(self, url: str) -> httpx2.Response:
        """GET an address, `*.localhost` without DNS."""
        with httpx2.Client(transport=LocalhostTransport(), timeout=10) as client:
            return client.get(url)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The wheel, installed as people install it, and never started."""
    folder = tmp_path_factory.mktemp("installed")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("TOWLINE_", "PYTHON", "VIRTUAL"))
    }
    for command in (
        ["uv", "build", "--quiet", "--wheel", "--out-dir", folder, ROOT],
        ["uv", "venv", "--quiet", folder / "venv"],
    ):
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    install = ["uv", "pip", "install", "--quiet", "--python", folder / "venv" / "bin" / "python", wheel]
    subprocess.run(install, env=environment, check=True, capture_output=True, timeout=200)
    data = Path("/tmp") / f"towline-e2e-installed-{os.getpid()}"
    settings = {"TOWLINE_INTERNAL_PORT": str(free_port()), "TOWLINE_SWEEP_INTERVAL": "PT1S"}
    yield Installed(folder / "venv/bin/towline", data, (free_port(), free_port()), {**environment, **settings})
    subprocess.run(
        [folder / "venv/bin/towline", "down", "--all", "--data", data], env=environment, check=False, timeout=100
    )
    remove_what_docker_keeps(data)
    subprocess.run(["rm", "-rf", "--", data], check=True, timeout=60)


def test_from_nothing_to_an_answering_url_and_back(installed: Installed) -> None:
    first = installed.up()
    assert first["was_running"] is False
    assert first["example_problem"] == ""
    example = str(first["example_url"])
    assert installed.get(example).status_code == 200
    assert installed.get(f"{first['platform_url']}/healthz").status_code == 200
    containers = _apps(installed)
    assert len(containers) == 1
    _the_doctor_finds_nothing_wrong(installed)
    _up_again_changes_nothing(installed, containers)
    _down_leaves_the_apps(installed, example, containers)
    _down_all_stops_them(installed, example)


def _up_again_changes_nothing(installed: Installed, containers: list[str]) -> None:
    processes = _processes(installed)
    assert len(processes) >= 4
    second = installed.up()
    assert second["was_running"] is True
    assert _processes(installed) == processes
    assert _apps(installed) == containers


def _down_leaves_the_apps(installed: Installed, example: str, containers: list[str]) -> None:
    installed.run("down")
    assert _processes(installed) == {}
    assert _apps(installed) == containers
    with pytest.raises(httpx2.TransportError):
        installed.get(example)
    third = installed.up()
    assert third["was_running"] is False
    assert third["example_url"] == example
    wait_for(lambda: installed.get(example).status_code == 200)
    assert _apps(installed) == containers


def _down_all_stops_them(installed: Installed, example: str) -> None:
    installed.run("down", "--all")
    assert _apps(installed) == []
    installed.up()
    wait_for(lambda: installed.get(example).status_code == 200)


def _the_doctor_finds_nothing_wrong(installed: Installed) -> None:
    findings = installed.run("doctor")
    text = json.dumps(findings)
    for subject in ("Docker", "BuildKit", "disk", "memory"):
        assert subject.lower() in text.lower()
    assert '"bad"' not in text, text


def test_the_doctor_says_what_is_wrong_with_docker(installed: Installed) -> None:
    broken = {**installed.environment, "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    other = Installed(installed.program, installed.data.with_name("towline-e2e-nowhere"), installed.ports, broken)
    text = json.dumps(other.run("doctor", expected=6))
    assert "unix:///nonexistent/docker.sock" in text
    assert "hint" in text


def test_a_folder_that_holds_something_else_is_refused(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    other = Installed(installed.program, tmp_path, installed.ports, installed.environment)
    other.run("up", "--detach", expected=5)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_what_is_needed_at_run_time_is_in_the_wheel(installed: Installed) -> None:
    package = next((installed.program.parents[1] / "lib").glob("python*/site-packages/towline"))
    source = ROOT / "src" / "towline"
    wanted = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    assert wanted <= found


def _apps(installed: Installed) -> list[str]:
    installation_id = json.loads((installed.data / "state.json").read_text())["installation_id"]
    return docker("ps", "--quiet", "--no-trunc", "--filter", f"label=towline.instance-of={installation_id}").split()


def _processes(installed: Installed) -> dict[str, int]:
    """Process ids of the parts that run for the data folder."""
    found: dict[str, int] = {}
    for path in (installed.data / "run").glob("*.pid"):
        record = json.loads(path.read_text())
        process_id = int(record["process_id"])
        if Path(f"/proc/{process_id}").exists():
            found[path.stem] = process_id
    return found
