"""Git LFS with the real git-lfs (Debian package git-lfs), and without it."""

import os
import shutil
from pathlib import Path

import pytest
from tests.sources.conftest import Reported
from tests.sources.requests import a_request
from tests.sources.servers import Repository

from towline.sources.git.lfs import find_lfs_pointers
from towline.sources.git.source import GitSource
from towline.storage.local import LocalStorage

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 3\n"


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="needs the package git-lfs")
async def test_lfs_files_arrive_with_their_contents(
    source: GitSource, storage: LocalStorage, repository: Repository, served: Path, report: Reported
) -> None:
    repository.git("lfs", "install", "--local")
    repository.git("lfs", "track", "*.bin")
    content = os.urandom(10_000)
    (repository.folder / "model.bin").write_bytes(content)
    repository.commit_all()
    repository.git("clone", "-q", "--bare", ".", str(served / "bare.git"))
    repository.git("lfs", "push", "--all", f"file://{served}/bare.git", "main")
    bundle = await source.fetch_source(a_request(f"file://{served}/bare.git"), report)
    async with storage.open_bundle(bundle.digest) as tree:
        assert (tree / "model.bin").read_bytes() == content
    assert not any("pointers" in line for line in report.lines)


async def test_pointers_left_behind_are_reported(source: GitSource, repository: Repository, report: Reported) -> None:
    repository.commit(_gitattributes="*.bin filter=lfs diff=lfs merge=lfs -text\n", model_bin=POINTER)
    await source.fetch_source(a_request(repository.url, lfs=False), report)
    assert any("'model.bin'" in line and "git-lfs" in line for line in report.lines)


def test_pointers_are_looked_for_only_where_lfs_is_used(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_text(POINTER)
    assert find_lfs_pointers(tmp_path) == []
    (tmp_path / ".gitattributes").write_text("*.bin filter=lfs\n")
    assert find_lfs_pointers(tmp_path) == ["model.bin"]
