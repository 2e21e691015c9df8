"""What hostile archives try, and that nothing of it is left behind."""

import asyncio
import gzip
import os
import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.infra.archives.samples import (
    entry,
    link,
    names_in,
    refused,
    tar_of,
    unpack,
    zip_entry,
    zip_of,
)

from towline.errors import BundleRejected, TooLarge


class TestRefuse:
    """What hostile archives try."""

    @pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "a/../../outside", "a/..", "..", "//x"])
    async def test_absolute_and_parent_paths(self, tmp_path: Path, name: str) -> None:
        assert repr(name) in await refused(tmp_path, tar_of(entry(b"ok"), entry(name.encode(), b"x")))
        assert repr(name) in await refused(tmp_path, zip_of([("ok", b""), (name, b"x")]))

    async def test_parent_paths_in_the_windows_way(self, tmp_path: Path) -> None:
        found = zipfile.ZipInfo("x")
        found.create_system = 0
        found.filename = "..\\outside"
        assert "outside" in await refused(tmp_path, zip_of([(found, b"x")]))

    @pytest.mark.parametrize("target", ["/etc/passwd", "..", "../x", "d/../../x", "here/..", "far/../.."])
    async def test_links_that_leave_the_tree(self, tmp_path: Path, target: str) -> None:
        links = [link(b"here", b"."), entry(b"d/e/f"), link(b"far", b"d"), link(b"evil", target.encode())]
        assert "'evil'" in await refused(tmp_path, tar_of(*links))
        entries = [(zip_entry("here", 0o120777), b"."), ("d/e", b""), (zip_entry("far", 0o120777), b"d")]
        assert "'evil'" in await refused(tmp_path, zip_of([*entries, (zip_entry("evil", 0o120777), target.encode())]))

    async def test_link_into_the_stripped_folder_from_its_name(self, tmp_path: Path) -> None:
        await refused(tmp_path, tar_of(entry(b"top/file"), link(b"top/evil", b"../top/file")))

    @pytest.mark.parametrize(
        "entries",
        [
            [link(b"d", b"/tmp"), entry(b"d/file", b"x")],
            [link(b"d", b"."), entry(b"d/file", b"x")],
            [entry(b"d", b"x"), entry(b"d/file", b"x")],
            [entry(b"d/file", b"x"), link(b"d", b"/tmp")],
            [entry(b"d/file", b"x"), entry(b"d", b"x")],
        ],
    )
    async def test_paths_through_links_and_files(self, tmp_path: Path, entries: list[bytes]) -> None:
        assert "'d" in await refused(tmp_path, tar_of(*entries))

    @pytest.mark.parametrize("kind", [b"3", b"4", b"6", b"S", b"M", b"Z"])
    async def test_devices_pipes_and_unknown_kinds(self, tmp_path: Path, kind: bytes) -> None:
        assert "'thing'" in await refused(tmp_path, tar_of(entry(b"thing", kind=kind)))

    @pytest.mark.parametrize("mode", [stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
    async def test_devices_pipes_and_sockets_in_a_zip(self, tmp_path: Path, mode: int) -> None:
        assert "'thing'" in await refused(tmp_path, zip_of([(zip_entry("thing", mode | 0o644), b"")]))

    @pytest.mark.parametrize("target", [b"", b"/etc/passwd", b"../x", b"later", b"d"])
    async def test_hard_links_to_what_is_not_before_them(self, tmp_path: Path, target: bytes) -> None:
        content = tar_of(entry(b"d/f"), entry(b"evil", kind=b"1", target=target), entry(b"later"))
        await refused(tmp_path, content)

    async def test_link_without_a_target(self, tmp_path: Path) -> None:
        await refused(tmp_path, tar_of(link(b"l", b"")))
        await refused(tmp_path, zip_of([(zip_entry("l", 0o120777), b"x" * 5000)]))
        await refused(tmp_path, zip_of([(zip_entry("l", 0o120777), b"a\0b")]))

    async def test_paths_too_long_or_too_deep(self, tmp_path: Path) -> None:
        await refused(tmp_path, tar_of(entry(b"a" * 256)))
        await refused(tmp_path, tar_of(entry(b"/".join([b"abcdef"] * 300))))
        await refused(tmp_path, tar_of(entry(b"/".join([b"d"] * 101))))

    async def test_zip_with_a_password(self, tmp_path: Path) -> None:
        content = bytearray(zip_of([("locked", b"x")]))
        for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            content[content.index(signature) + offset] |= 1
        assert "password" in await refused(tmp_path, bytes(content))

    async def test_zip_packed_in_a_rare_way(self, tmp_path: Path) -> None:
        assert "'x'" in await refused(tmp_path, zip_of([("x", b"x")], zipfile.ZIP_LZMA))

    @pytest.mark.parametrize(
        "content", [b"", b"hello", b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", bytes(range(256)) * 4]
    )
    async def test_what_is_no_archive(self, tmp_path: Path, content: bytes) -> None:
        await refused(tmp_path, content)

    async def test_archives_that_end_too_early(self, tmp_path: Path) -> None:
        whole = tar_of(entry(b"a", os.urandom(2000)))
        for content in (whole, gzip.compress(whole), zstandard.compress(whole), zip_of([("a", os.urandom(2000))])):
            await refused(tmp_path, content[:1500])

    async def test_damaged_contents(self, tmp_path: Path) -> None:
        packed = bytearray(zip_of([("a", b"x" * 2000)], zipfile.ZIP_STORED))
        packed[100] ^= 1
        await refused(tmp_path, bytes(packed))
        compressed = bytearray(gzip.compress(tar_of(entry(b"a", os.urandom(2000)))))
        compressed[-6] ^= 1
        await refused(tmp_path, bytes(compressed))


class TestHostileBytes:
    """Anything at all ends in a TowlineError or a tree."""

    @given(data=st.data())
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_changed_archives_never_raise_anything_else(self, data: st.DataObject) -> None:
        tar = tar_of(entry(b"a/" + b"n" * 120, b"content"), link(b"l", b"a"), entry("ü".encode(), b"x" * 600))
        valid = [tar, gzip.compress(tar, mtime=0), zstandard.compress(tar), zip_of([("a/b", b"x" * 300), ("c", b"y")])]
        content = bytearray(data.draw(st.sampled_from(valid)))
        for position, byte in data.draw(
            st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=5)
        ):
            content[position] = byte
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            try:
                asyncio.run(unpack(folder, bytes(content)))
            except (BundleRejected, TooLarge):
                assert names_in(folder) == ["archive"]
