"""Trees that come back as they were, and digests that never change."""

import asyncio
import io
import os
import tarfile
import tempfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.infra.archives.samples import (
    LIMITS,
    contents,
    digest_of,
)

from towline.errors import BundleRejected, InvalidInput
from towline.infra.archives.headers import BLOCK, encode_header
from towline.infra.archives.packing import pack_tree
from towline.infra.archives.unpacking import unpack_archive
from towline.infra.contents import check_digest

NAMES = st.binary(min_size=1, max_size=120).filter(
    lambda name: not {b"/", b"\0"} & {bytes([byte]) for byte in name} and name not in {b".", b".."}
)
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map(tuple), st.binary(max_size=2000), max_size=6)


class TestPack:
    """Trees that come back as they were."""

    @given(tree=TREES, executable=st.booleans())
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_any_names_survive_the_round_trip(self, tree: dict[tuple[bytes, ...], bytes], *, executable: bool) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source = folder / "source"
            source.mkdir()
            for parts, content in tree.items():
                write(source, parts, content, executable=executable)
            (folder / "archive").write_bytes(zstandard.compress(b"".join(pack_tree(source))))
            unpacked = asyncio.run(unpack_archive(folder / "archive", folder / "tree", limits=LIMITS))
            assert contents(unpacked) == contents(source)
            assert digest_of(unpacked) == digest_of(source)

    @given(tree=TREES)
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_the_standard_library_reads_the_same(self, tree: dict[tuple[bytes, ...], bytes]) -> None:
        with tempfile.TemporaryDirectory() as name:
            for parts, content in tree.items():
                write(Path(name), parts, content, executable=False)
            with tarfile.open(fileobj=io.BytesIO(b"".join(pack_tree(Path(name))))) as archive:
                seen = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
                assert {key: file.read() for key, file in seen.items() if file} == contents(Path(name))

    def test_times_owners_and_order_do_not_matter(self, tmp_path: Path) -> None:
        for folder, names in (("one", ["a", "b", "c"]), ("two", ["c", "b", "a"])):
            (tmp_path / folder).mkdir()
            for name in names:
                (tmp_path / folder / name).write_text(name)
        os.utime(tmp_path / "one" / "a", (1, 1))
        (tmp_path / "one" / "b").chmod(0o600)
        assert digest_of(tmp_path / "one") == digest_of(tmp_path / "two")
        (tmp_path / "one" / "b").chmod(0o700)
        assert digest_of(tmp_path / "one") != digest_of(tmp_path / "two")

    def test_digest_of_a_tree_never_changes(self, tmp_path: Path) -> None:
        (tmp_path / "tree" / "src").mkdir(parents=True)
        (tmp_path / "tree" / "src" / ("ünïcode" * 20)).write_text("x")
        (tmp_path / "tree" / "link").symlink_to("src")
        assert digest_of(tmp_path / "tree") == "c4b793a4183b546720ea2ee7382cd51123a2543efc5f00662073d4241da35c2f"

    def test_files_above_eight_gigabytes_keep_their_size(self) -> None:
        blocks = encode_header(b"big", kind=b"0", mode=0o644, size=9 * 1024**3)
        member = tarfile.TarInfo.frombuf(blocks[-BLOCK:], "utf-8", "surrogateescape")
        assert member.size == 8 * 1024**3 - 1
        assert b"size=9663676416\n" in blocks

    def test_what_cannot_be_in_a_bundle_is_rejected(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(BundleRejected, match="pipe"):
            digest_of(tmp_path)
        (tmp_path / "pipe").unlink()
        (tmp_path / "out").symlink_to("../..")
        with pytest.raises(BundleRejected, match="out"):
            digest_of(tmp_path)


@pytest.mark.parametrize("value", ["", "sha256:", "sha256:" + "g" * 64, "sha256:" + "a" * 64 + "\n"])
def test_only_digests_are_digests(value: str) -> None:
    with pytest.raises(InvalidInput):
        check_digest(value)


def write(folder: Path, parts: tuple[bytes, ...], content: bytes, *, executable: bool) -> None:
    """Write a file unless the names clash with an earlier one's."""
    path = folder.joinpath(*(os.fsdecode(part) for part in parts))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        return
    path.chmod(0o755 if executable else 0o644)
