"""A bundle storage, sources in front of it, and repositories to fetch."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sources.servers import GitServer, Repository, create_repository, serve_git

from towline.sources.git.source import GitSource
from towline.storage.local import LocalStorage


class Reported:
    """Keeps what a source reports."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def __call__(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def report() -> Reported:
    return Reported()


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def storage(artifacts: Path) -> LocalStorage:
    return LocalStorage(artifacts)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


@pytest.fixture
def source(storage: LocalStorage, scratch: Path) -> GitSource:
    return GitSource(storage.store_tree, scratch)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The folder of all repositories."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def repository(served: Path) -> Repository:
    """One commit on `main` with a Dockerfile and a folder."""
    repository = create_repository(served / "shop")
    repository.commit("Open the shop", Dockerfile="FROM scratch\n", web__index_html="<h1>Shop</h1>")
    return repository


@pytest.fixture
def server(served: Path) -> Iterator[GitServer]:
    with serve_git(served) as server:
        yield server
