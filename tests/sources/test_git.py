"""What arrives from real git repositories."""

import os
from pathlib import Path

import pytest
from tests.sources.conftest import Reported
from tests.sources.requests import a_request, fetched_paths, is_empty, paths_in
from tests.sources.servers import Repository

from towline.errors import BundleRejected, SourceUnavailable
from towline.sources.git.source import GitSource
from towline.storage.local import LocalStorage


class TestFetch:
    """What arrives."""

    async def test_default_branch_arrives_without_its_history(
        self, source: GitSource, storage: LocalStorage, repository: Repository, report: Reported, scratch: Path
    ) -> None:
        bundle = await source.fetch_source(a_request(repository.url), report)
        assert bundle.revision == repository.git("rev-parse", "HEAD")
        assert (bundle.author, bundle.message) == ("Ada Lovelace", "Open the shop")
        assert await fetched_paths(storage, bundle.digest) == {"Dockerfile", "web/index.html"}
        assert is_empty(scratch)

    async def test_branch_tag_annotated_tag_and_commit_are_told_apart(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        first = repository.git("rev-parse", "HEAD")
        repository.git("tag", "v1")
        repository.git("tag", "-a", "-m", "Second", "v1-signed")
        repository.git("checkout", "-q", "-b", "feature/ünïcode")
        second = repository.commit(Dockerfile="FROM busybox\n")
        for ref, revision in {
            "main": first,
            "v1": first,
            "v1-signed": first,
            "refs/tags/v1-signed": first,
            "feature/ünïcode": second,
            first: first,
            second: second,
        }.items():
            request = a_request(repository.url, ref)
            assert (await source.fetch_source(request, report)).revision == revision

    async def test_branch_wins_over_a_tag_of_the_same_name(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        repository.git("tag", "both")
        repository.git("checkout", "-q", "-b", "both")
        revision = repository.commit(Dockerfile="FROM busybox\n")
        request = a_request(repository.url, "both")
        assert (await source.fetch_source(request, report)).revision == revision

    async def test_configured_branch_is_the_default(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        main = repository.git("rev-parse", "HEAD")
        repository.git("checkout", "-q", "-b", "next")
        repository.commit(Dockerfile="FROM busybox\n")
        bundle = await source.fetch_source(a_request(repository.url, branch="main"), report)
        assert bundle.revision == main

    async def test_same_tree_in_another_commit_has_the_same_digest(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        first = await source.fetch_source(a_request(repository.url), report)
        repository.commit_all("Nothing changed")
        second = await source.fetch_source(a_request(repository.url), report)
        assert first.digest == second.digest
        assert first.revision != second.revision

    async def test_subdirectory_is_all_that_is_stored(
        self, source: GitSource, storage: LocalStorage, repository: Repository, report: Reported
    ) -> None:
        bundle = await source.fetch_source(a_request(repository.url, subdirectory="./web/"), report)
        assert await fetched_paths(storage, bundle.digest) == {"index.html"}

    async def test_missing_subdirectory_is_named(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        (repository.folder / "out").symlink_to("/etc")
        repository.commit_all()
        for folder in ("api", "out", "Dockerfile"):
            with pytest.raises(SourceUnavailable, match=folder):
                await source.fetch_source(a_request(repository.url, subdirectory=folder), report)

    async def test_modes_links_and_odd_names_arrive_as_they_are(
        self, source: GitSource, storage: LocalStorage, repository: Repository, report: Reported
    ) -> None:
        names = ["-leading", "with space", "line\nend", "ünïcode", 'quo"te']
        for name in names:
            (repository.folder / name).write_text(name)
        (repository.folder / "run").write_text("#!/bin/sh\n")
        (repository.folder / "run").chmod(0o755)
        (repository.folder / "link").symlink_to("web/index.html")
        repository.commit_all()
        bundle = await source.fetch_source(a_request(repository.url), report)
        async with storage.open_bundle(bundle.digest) as tree:
            assert {*names, "run", "link"} < paths_in(tree)
            assert os.access(tree / "run", os.X_OK)
            assert (tree / "link").readlink() == Path("web/index.html")

    async def test_link_out_of_the_repository_is_rejected(
        self, source: GitSource, repository: Repository, report: Reported, scratch: Path
    ) -> None:
        (repository.folder / "passwords").symlink_to("../../../../etc/passwd")
        repository.commit_all()
        with pytest.raises(BundleRejected, match="passwords"):
            await source.fetch_source(a_request(repository.url), report)
        assert is_empty(scratch)
