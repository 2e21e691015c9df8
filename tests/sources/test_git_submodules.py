"""Repositories inside repositories."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.sources.conftest import Reported
from tests.sources.requests import a_request, fetched_paths
from tests.sources.servers import Repository, create_repository

from towline.errors import SourceUnavailable, TooLarge
from towline.sources.git.source import GitSource
from towline.storage.local import LocalStorage


class TestSubmodules:
    """Repositories inside repositories."""

    @pytest.fixture
    def nested(self, served: Path, repository: Repository) -> Repository:
        """`shop` holds `library`, which holds `fonts`, both by relative addresses."""
        fonts = create_repository(served / "fonts")
        fonts.commit(sans_ttf="glyphs")
        library = create_repository(served / "library")
        library.commit(code_py="pass\n")
        add_submodule(library, "../fonts", "assets/fonts", fonts)
        add_submodule(repository, "../library", "lib", library)
        return repository

    async def test_they_arrive_when_wanted_and_without_git_folders(
        self, source: GitSource, storage: LocalStorage, nested: Repository, report: Reported
    ) -> None:
        bundle = await source.fetch_source(a_request(nested.url, submodules=True), report)
        paths = await fetched_paths(storage, bundle.digest)
        assert {"lib/code.py", "lib/assets/fonts/sans.ttf", "Dockerfile"} < paths
        assert not [path for path in paths if ".git" in path.split("/")]

    async def test_they_stay_away_when_not_wanted(
        self, source: GitSource, storage: LocalStorage, nested: Repository, report: Reported
    ) -> None:
        bundle = await source.fetch_source(a_request(nested.url), report)
        assert await fetched_paths(storage, bundle.digest) == {"Dockerfile", "web/index.html", ".gitmodules"}

    @pytest.mark.parametrize(
        "url", ["git://example.com/x", "ext::sh -c touch% x", "http://example.com/x", "/etc", "-u./x"]
    )
    async def test_address_of_another_protocol_is_refused(
        self, source: GitSource, repository: Repository, served: Path, report: Reported, url: str
    ) -> None:
        add_submodule(repository, url, "lib", repository)
        with pytest.raises(SourceUnavailable, match="submodule 'lib'"):
            await source.fetch_source(a_request(repository.url, submodules=True), report)

    async def test_submodule_without_an_address_stays_empty_and_is_reported(
        self, source: GitSource, repository: Repository, report: Reported
    ) -> None:
        add_submodule(repository, "../shop", "lib", repository)
        (repository.folder / ".gitmodules").write_text("")
        repository.commit_all()
        await source.fetch_source(a_request(repository.url, submodules=True), report)
        assert any("'lib' has no address" in line for line in report.lines)

    async def test_all_count_towards_the_limits(self, source: GitSource, nested: Repository, report: Reported) -> None:
        with pytest.raises(TooLarge):
            await source.fetch_source(replace(a_request(nested.url, submodules=True), max_files=6), report)


def add_submodule(repository: Repository, url: str, path: str, inner: Repository) -> None:
    """Written by hand, since git itself refuses some of these addresses."""
    commit = inner.git("rev-parse", "HEAD")
    (repository.folder / ".gitmodules").write_text(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
    repository.git("add", ".gitmodules")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    (repository.folder / path).mkdir(parents=True)
    repository.git("commit", "--quiet", "-m", "Add a submodule")
