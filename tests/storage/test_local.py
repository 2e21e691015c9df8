"""Bundle storage: the contract every implementation passes, and what the local one leaves on disk."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import zstandard

from towline.errors import BundleRejected, InvalidInput, NotFound, TooLarge
from towline.infra.archives.packing import pack_tree
from towline.storage.base import Storage
from towline.storage.local import LocalStorage

NOBODY = "sha256:" + "0" * 64


def make_tree(folder: Path, text: str = "hello") -> Path:
    (folder / "src").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "src" / "main.py").write_text(text)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o700)
    (folder / "link").symlink_to("src/main.py")
    return folder


def make_old(artifacts: Path) -> None:
    for path in artifacts.glob("sha256/*/*"):
        os.utime(path, (1, 1))


def damage(artifacts: Path) -> None:
    (path,) = artifacts.glob("sha256/*/*")
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def wait_until(is_true: Callable[[], object]) -> None:
    while not is_true():
        time.sleep(0.001)


async def in_pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


class StorageContract:
    """What every bundle storage does; a subclass gives the fixture `storage`."""

    async def test_stored_tree_comes_back_as_it_was(self, storage: Storage, tmp_path: Path) -> None:
        digest, size = await storage.store_tree(make_tree(tmp_path / "tree"))
        assert size > 0
        async with storage.open_bundle(digest) as tree:
            assert (tree / "src" / "main.py").read_text() == "hello"
            assert (tree / "empty").is_dir()
            assert os.access(tree / "run.sh", os.X_OK)
            assert not (tree / "Dockerfile").stat().st_mode & 0o111
            assert (tree / "link").readlink() == Path("src/main.py")
        assert not tree.exists()

    async def test_same_tree_has_the_same_digest_and_is_stored_once(self, storage: Storage, tmp_path: Path) -> None:
        first, _ = await storage.store_tree(make_tree(tmp_path / "one"))
        os.utime(make_tree(tmp_path / "two") / "Dockerfile", (1, 1))
        second, _ = await storage.store_tree(tmp_path / "two")
        other, _ = await storage.store_tree(make_tree(tmp_path / "three", "else"))
        assert first == second != other
        assert set(await storage.list_bundles()) == {first, other}

    async def test_unpacked_bundle_stores_under_its_own_digest(self, storage: Storage, tmp_path: Path) -> None:
        (tmp_path / "tree" / "only").mkdir(parents=True)
        (tmp_path / "tree" / "only" / "file").touch()
        digest, _ = await storage.store_tree(tmp_path / "tree")
        async with storage.open_bundle(digest) as tree:
            assert await storage.store_tree(tree) == (digest, (await storage.store_tree(tree))[1])

    async def test_download_is_the_tar_whose_hash_is_the_digest(self, storage: Storage, tmp_path: Path) -> None:
        digest, size = await storage.store_tree(make_tree(tmp_path / "tree"))
        packed = b"".join([chunk async for chunk in storage.download_deployment_bundle(digest)])
        assert len(packed) == size
        content = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
        assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"

    async def test_upload_under_its_digest_can_be_opened(self, storage: Storage, tmp_path: Path) -> None:
        content = b"".join(pack_tree(make_tree(tmp_path / "tree")))
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert await storage.upload_deployment_bundle(digest, in_pieces(content)) > 0
        async with storage.open_bundle(digest) as tree:
            assert (tree / "Dockerfile").is_file()
        assert await storage.store_tree(tmp_path / "tree") == (digest, (await storage.store_tree(tmp_path / "tree"))[1])

    async def test_upload_under_a_wrong_digest_is_refused(self, storage: Storage) -> None:
        with pytest.raises(InvalidInput):
            await storage.upload_deployment_bundle(NOBODY, in_pieces(b"something"))
        assert not await storage.has_bundle(NOBODY)

    async def test_missing_bundle_is_not_found(self, storage: Storage) -> None:
        assert not await storage.has_bundle(NOBODY)
        with pytest.raises(NotFound):
            async with storage.open_bundle(NOBODY):
                pass
        with pytest.raises(NotFound):
            await anext(storage.download_deployment_bundle(NOBODY))

    @pytest.mark.parametrize("digest", ["", "sha256:../../etc", "sha256:" + "A" * 64, "md5:0", NOBODY + "\n"])
    async def test_no_path_is_made_of_what_is_no_digest(self, storage: Storage, digest: str) -> None:
        with pytest.raises(InvalidInput):
            await storage.has_bundle(digest)
        with pytest.raises(InvalidInput):
            await anext(storage.download_deployment_bundle(digest))
        with pytest.raises(InvalidInput):
            await storage.cleanup_old_deployments([digest])

    async def test_young_bundles_survive_a_clean_up(self, storage: Storage, tmp_path: Path) -> None:
        digest, _ = await storage.store_tree(make_tree(tmp_path / "tree"))
        assert await storage.cleanup_old_deployments([]) == 0
        assert await storage.has_bundle(digest)

    async def test_tree_with_a_pipe_is_rejected(self, storage: Storage, tmp_path: Path) -> None:
        os.mkfifo(make_tree(tmp_path / "tree") / "pipe")
        with pytest.raises(BundleRejected, match="pipe"):
            await storage.store_tree(tmp_path / "tree")
        assert await storage.list_bundles() == []


class TestLocalStorage(StorageContract):
    """The contract, and the folder behind it."""

    @pytest.fixture
    def artifacts(self, tmp_path: Path) -> Path:
        return tmp_path / "artifacts"

    @pytest.fixture
    def storage(self, artifacts: Path) -> Storage:
        return LocalStorage(artifacts)

    async def test_old_bundles_go_unless_kept(self, storage: Storage, artifacts: Path, tmp_path: Path) -> None:
        old, size = await storage.store_tree(make_tree(tmp_path / "old", "old"))
        kept, _ = await storage.store_tree(make_tree(tmp_path / "kept", "kept"))
        make_old(artifacts)
        assert await storage.cleanup_old_deployments([kept]) == size
        assert await storage.list_bundles() == [kept]
        assert not await storage.has_bundle(old)

    async def test_storing_again_makes_a_bundle_young(self, storage: Storage, artifacts: Path, tmp_path: Path) -> None:
        digest, _ = await storage.store_tree(make_tree(tmp_path / "tree"))
        make_old(artifacts)
        await storage.store_tree(tmp_path / "tree")
        await storage.cleanup_old_deployments([])
        assert await storage.has_bundle(digest)

    async def test_clean_up_takes_what_a_dead_process_left_and_spares_the_living(
        self, storage: Storage, artifacts: Path, tmp_path: Path
    ) -> None:
        digest, _ = await storage.store_tree(make_tree(tmp_path / "tree"))
        left = artifacts / "tmp" / "left"
        left.mkdir()
        (left / "bundle").write_bytes(bytes(1000))
        async with storage.open_bundle(digest) as tree:
            assert await storage.cleanup_old_deployments([digest]) == 1000
            assert tree.is_dir()
        assert list((artifacts / "tmp").iterdir()) == []

    async def test_too_large_tree_is_refused_and_leaves_nothing(self, artifacts: Path, tmp_path: Path) -> None:
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree" / "zeros").write_bytes(bytes(100_000))
        with pytest.raises(TooLarge):
            await LocalStorage(artifacts, max_bytes=50_000).store_tree(tmp_path / "tree")
        assert files_in(artifacts) == []
        assert list((artifacts / "tmp").iterdir()) == []

    async def test_damaged_bundle_is_rejected(self, storage: Storage, artifacts: Path, tmp_path: Path) -> None:
        digest, _ = await storage.store_tree(make_tree(tmp_path / "tree"))
        damage(artifacts)
        with pytest.raises(BundleRejected, match="damaged"):
            async with storage.open_bundle(digest):
                pass
        assert list((artifacts / "tmp").iterdir()) == []

    async def test_cancelled_store_leaves_nothing(self, storage: Storage, artifacts: Path, tmp_path: Path) -> None:
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree" / "big").write_bytes(os.urandom(64 * 1024**2))
        task = asyncio.create_task(storage.store_tree(tmp_path / "tree"))
        await asyncio.wait_for(asyncio.to_thread(wait_until, lambda: files_in(artifacts)), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert files_in(artifacts) == []
        assert list((artifacts / "tmp").iterdir()) == []

    async def test_small_tree_is_stored_and_opened_at_once(self, storage: Storage, tmp_path: Path) -> None:
        tree = make_tree(tmp_path / "tree")

        async def both() -> None:
            digest, _ = await storage.store_tree(tree)
            async with storage.open_bundle(digest):
                pass

        assert await fastest(both) < 0.040


async def fastest(work: Callable[[], Awaitable[None]], tries: int = 5) -> float:
    times: list[float] = []
    for _ in range(tries):
        start = time.perf_counter()
        await work()
        times.append(time.perf_counter() - start)
    return min(times)
