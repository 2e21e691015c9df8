"""Uploads become bundles."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.sources.conftest import Reported
from tests.sources.requests import fetched_paths

from towline.errors import BundleRejected, InvalidInput, SourceUnavailable, TooLarge
from towline.infra.contents import content_path
from towline.sources.base import FetchRequest
from towline.sources.upload import UploadSource
from towline.storage.local import LocalStorage


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    return tmp_path / "uploads"


@pytest.fixture
def upload_source(storage: LocalStorage, uploads: Path) -> UploadSource:
    return UploadSource(storage.store_tree, uploads)


def put(uploads: Path, content: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    path = content_path(uploads, digest)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return digest


def zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def is_clean(uploads: Path) -> bool:
    return not list((uploads / "tmp").iterdir())


async def test_same_tree_in_other_archives_is_the_same_bundle(
    upload_source: UploadSource, storage: LocalStorage, uploads: Path, report: Reported
) -> None:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as archive:
        member = tarfile.TarInfo("shop-main/Dockerfile")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    one, two = put(uploads, zipped({"Dockerfile": "x"})), put(uploads, tar.getvalue())
    first = await upload_source.fetch_source(FetchRequest(config={}, ref=one), report)
    second = await upload_source.fetch_source(FetchRequest(config={}, ref=two), report)
    assert first.digest == second.digest
    assert (first.revision, second.revision) == (one, two)
    assert await fetched_paths(storage, first.digest) == {"Dockerfile"}
    assert is_clean(uploads)


async def test_hostile_and_large_archives_leave_nothing(
    upload_source: UploadSource, storage: LocalStorage, uploads: Path, report: Reported
) -> None:
    hostile = put(uploads, zipped({"../outside": "x"}))
    with pytest.raises(BundleRejected, match="outside"):
        await upload_source.fetch_source(FetchRequest(config={}, ref=hostile), report)
    large = put(uploads, zipped({"a": "x" * 1000, "b": ""}))
    for request in (
        FetchRequest(config={}, ref=large, max_bytes=500),
        FetchRequest(config={}, ref=large, max_files=1),
    ):
        with pytest.raises(TooLarge):
            await upload_source.fetch_source(request, report)
    assert is_clean(uploads)
    assert await storage.list_bundles() == []


async def test_missing_upload_and_bad_refs_are_named(upload_source: UploadSource, report: Reported) -> None:
    missing = FetchRequest(config={}, ref="sha256:" + "0" * 64)
    with pytest.raises(SourceUnavailable, match="0000"):
        await upload_source.fetch_source(missing, report)
    assert not await upload_source.authenticate(missing)
    for ref in ("", "main", "sha256:../../etc/passwd"):
        with pytest.raises(InvalidInput) as refused:
            await upload_source.fetch_source(FetchRequest(config={}, ref=ref), report)
        assert refused.value.field == "ref"


def test_there_is_nothing_to_configure(upload_source: UploadSource) -> None:
    assert upload_source.validate_config({}) == {}
    with pytest.raises(InvalidInput) as refused:
        upload_source.validate_config({"url": "x"})
    assert refused.value.field == "url"
