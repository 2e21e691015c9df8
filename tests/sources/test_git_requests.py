"""Commits of pull requests from forks, fetched from the repository that the request was made to."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.sources.conftest import Reported
from tests.sources.requests import a_request, fetched_paths
from tests.sources.servers import GitServer, Repository, create_repository

from towline.errors import InvalidInput, SourceUnavailable
from towline.sources.base import FetchRequest
from towline.sources.git.source import GitSource
from towline.storage.local import LocalStorage

_REF = "refs/pull/7/head"


@dataclass(frozen=True, slots=True)
class Fork:
    """A stranger's copy of the repository, whose branch the platform keeps as the head of request 7."""

    base: Repository
    copy: Repository
    url: str

    def push(self, name: str) -> str:
        """Commit a file there, and have the platform take it over."""
        (self.copy.folder / name).write_text(name)
        revision = self.copy.commit_all(f"Add {name}")
        self.take_over()
        return revision

    def take_over(self) -> None:
        """What the platform does when the request's branch moves."""
        self.base.git("fetch", "--quiet", str(self.copy.folder), f"+HEAD:{_REF}")

    def request(self, revision: str, request_ref: str = _REF) -> FetchRequest:
        """What a preview's deployment asks for."""
        return replace(a_request(self.url, revision), request_ref=request_ref)


@pytest.fixture
def fork(repository: Repository, server: GitServer, tmp_path: Path) -> Fork:
    """Served by a git server that gives out no commit by its id, but for the heads it shows."""
    server.passes_protocol = False
    repository.git("config", "uploadpack.allowAnySHA1InWant", "false")
    copy = create_repository(tmp_path / "fork")
    copy.git("fetch", "--quiet", str(repository.folder), "main")
    copy.git("checkout", "--quiet", "-B", "topic", "FETCH_HEAD")
    return Fork(repository, copy, f"{server.url}/shop/.git")


async def test_the_approved_commit_is_fetched_though_the_request_has_moved_on(
    source: GitSource, storage: LocalStorage, fork: Fork, report: Reported
) -> None:
    approved = fork.push("approved")
    fork.push("later")
    bundle = await source.fetch_source(fork.request(approved), report)
    assert bundle.revision == approved
    assert await fetched_paths(storage, bundle.digest) == {"Dockerfile", "web/index.html", "approved"}
    assert f"The server does not give out single commits; fetching {_REF}" in report.lines
    assert not any("whole history" in line for line in report.lines)


async def test_the_head_of_a_request_is_fetched(source: GitSource, fork: Fork, report: Reported) -> None:
    head = fork.push("approved")
    assert (await source.fetch_source(fork.request(head), report)).revision == head


async def test_no_other_commit_takes_the_place_of_one_that_was_taken_back(
    source: GitSource, fork: Fork, report: Reported
) -> None:
    approved = fork.push("approved")
    fork.copy.git("reset", "--quiet", "--hard", "HEAD~1")
    fork.push("another")
    with pytest.raises(SourceUnavailable, match=approved):
        await source.fetch_source(fork.request(approved), report)


@pytest.mark.parametrize("request_ref", ["", _REF])
async def test_a_commit_of_a_branch_is_found_without_the_request_too(
    source: GitSource, fork: Fork, report: Reported, request_ref: str
) -> None:
    first = fork.base.git("rev-parse", "HEAD")
    fork.base.commit(Dockerfile="FROM busybox\n")
    assert (await source.fetch_source(fork.request(first, request_ref), report)).revision == first


async def test_a_request_that_lags_behind_its_branch_does_not_hide_it(
    source: GitSource, fork: Fork, report: Reported
) -> None:
    fork.take_over()
    wanted = fork.base.commit(Dockerfile="FROM busybox\n")
    fork.base.commit(Dockerfile="FROM alpine\n")
    assert (await source.fetch_source(fork.request(wanted), report)).revision == wanted


async def test_what_is_no_ref_is_not_given_to_git(source: GitSource, fork: Fork, report: Reported) -> None:
    with pytest.raises(InvalidInput, match="request_ref"):
        await source.fetch_source(fork.request("a" * 40, "--upload-pack=x"), report)
