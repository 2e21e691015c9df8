"""The command line in a folder and a home of its own, against the stub server."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.client.stub_server import serve
from tests.client.stub_state import API_KEY, StubState

from towline.cli.app import main


@dataclass(frozen=True)
class Result:
    """What one command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON document on stdout."""
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def state() -> StubState:
    """What the stub server remembers."""
    return StubState()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one; nothing of the real home or environment is seen."""
    for name in ("TOWLINE_URL", "TOWLINE_API_KEY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TOWLINE_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home" / name.lower()))
    place = tmp_path / "shop"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command that knows no server."""

    def run_command(*arguments: str) -> Result:
        code = main(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run_command


@pytest.fixture
def server_url(state: StubState) -> Iterator[str]:
    """Address of a running stub server."""
    with serve(state) as url:
        yield url


@pytest.fixture
def towline(run: Run, server_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command against the stub server."""
    monkeypatch.setenv("TOWLINE_URL", server_url)
    monkeypatch.setenv("TOWLINE_API_KEY", API_KEY)
    return run


@pytest.fixture
def deployed(towline: Run, folder: Path) -> Run:
    """Runs commands in a folder that was deployed once as shop/shop."""
    (folder / "Dockerfile").write_text("FROM scratch\n")
    assert towline("deploy", "--yes").code == 0
    return towline
