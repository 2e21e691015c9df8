"""Repositories that a commit names by itself: whose password they are shown, and whose not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.sources.certificates import own_address, server_context, write_certificate
from tests.sources.conftest import Reported
from tests.sources.requests import SECRET, a_request, fetched_paths
from tests.sources.servers import GitServer, Repository, create_repository, serve_git
from tests.sources.test_git_submodules import add_submodule

from towline.errors import SourceUnavailable
from towline.sources.base import FetchRequest
from towline.sources.git.source import GitSource
from towline.storage.local import LocalStorage
from towline.values import Credential


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trusted, at an address of this machine that others could reach it by."""
    path = write_certificate(tmp_path / "certificate.pem")
    monkeypatch.setenv("GIT_SSL_CAINFO", str(path))
    return path


@pytest.fixture
def private(served: Path, certificate: Path) -> Iterator[GitServer]:
    """The server of the repository, which wants a password."""
    with serve_git(served, tls=server_context(certificate), address=own_address()) as server:
        server.require("deploy", SECRET)
        yield server


def _request(server: GitServer) -> FetchRequest:
    request = a_request(f"{server.url}/shop/.git", submodules=True)
    return replace(request, credential=Credential("deploy", SECRET), allows_local=False)


def _library(served: Path) -> Repository:
    library = create_repository(served / "library")
    library.commit(code_py="pass\n")
    return library


async def test_a_password_is_shown_to_no_other_server_that_a_commit_names(
    source: GitSource, repository: Repository, private: GitServer, served: Path, certificate: Path, report: Reported
) -> None:
    with serve_git(served, tls=server_context(certificate), address=own_address()) as other:
        other.require("somebody", "else")
        add_submodule(repository, f"{other.url}/library/.git", "lib", _library(served))
        with pytest.raises(SourceUnavailable, match=r"library.* asks for a user name and password"):
            await source.fetch_source(_request(private), report)
        assert other.seen
        assert set(other.seen) == {""}


async def test_a_fork_names_no_private_repository_beside_its_own(
    source: GitSource,
    storage: LocalStorage,
    repository: Repository,
    private: GitServer,
    served: Path,
    report: Reported,
) -> None:
    add_submodule(repository, "../../library/.git", "lib", _library(served))
    bundle = await source.fetch_source(_request(private), report)
    assert "lib/code.py" in await fetched_paths(storage, bundle.digest)
    with pytest.raises(SourceUnavailable, match=r"library.* asks for a user name and password"):
        await source.fetch_source(replace(_request(private), is_foreign=True), report)


async def test_a_public_repository_that_a_fork_names_is_fetched_and_one_over_ssh_is_left_out(
    source: GitSource,
    storage: LocalStorage,
    repository: Repository,
    private: GitServer,
    served: Path,
    certificate: Path,
    report: Reported,
) -> None:
    with serve_git(served, tls=server_context(certificate), address=own_address()) as public:
        add_submodule(repository, f"{public.url}/library/.git", "lib", _library(served))
        request = replace(_request(private), is_foreign=True)
        bundle = await source.fetch_source(request, report)
        assert "lib/code.py" in await fetched_paths(storage, bundle.digest)
        (repository.folder / ".gitmodules").write_text(
            '[submodule "lib"]\n\tpath = lib\n\turl = ssh://git@example.com/library\n'
        )
        repository.commit_all()
        bundle = await source.fetch_source(request, report)
        assert "lib/code.py" not in await fetched_paths(storage, bundle.digest)
        assert any("not fetched over ssh" in line for line in report.lines)
