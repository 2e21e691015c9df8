"""What honest archives unpack to."""

import gzip
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard
from tests.infra.archives.samples import (
    FILES,
    contents,
    entry,
    link,
    link_target,
    names_in,
    tar_by_python,
    tar_of,
    unpack,
    zip_entry,
    zip_of,
)


class TestUnpack:
    """What honest archives become."""

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(zip_of(FILES.items()), id="zip"),
            pytest.param(zip_of(FILES.items(), zipfile.ZIP_STORED), id="zip stored"),
            pytest.param(tar_by_python(FILES, tarfile.USTAR_FORMAT), id="ustar"),
            pytest.param(tar_by_python(FILES, tarfile.GNU_FORMAT), id="gnu"),
            pytest.param(tar_by_python(FILES, tarfile.PAX_FORMAT), id="pax"),
            pytest.param(gzip.compress(tar_by_python(FILES, tarfile.PAX_FORMAT)), id="tar.gz"),
            pytest.param(zstandard.compress(tar_by_python(FILES, tarfile.PAX_FORMAT)), id="tar.zst"),
        ],
    )
    async def test_every_format_is_known_by_its_content(self, tmp_path: Path, content: bytes) -> None:
        assert contents(await unpack(tmp_path, content)) == FILES

    @pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    async def test_long_and_foreign_names_arrive_whole(self, tmp_path: Path, form: int) -> None:
        files = {f"{'long' * 30}/{'name' * 40}": b"1", "ünïcode/日本": b"2", "-f": b"3", "a\nb": b"4", " ": b"5"}
        assert contents(await unpack(tmp_path, tar_by_python(files, form))) == files

    async def test_single_top_folder_is_stripped(self, tmp_path: Path) -> None:
        comment = tar_by_python({}, tarfile.PAX_FORMAT)[:-10240]
        files = {f"shop-1a2b3c/{name}": content for name, content in FILES.items()}
        tree = await unpack(tmp_path, comment + tar_by_python(files, tarfile.PAX_FORMAT))
        assert contents(tree) == FILES

    async def test_top_folder_stays_when_it_is_not_alone_or_was_packed_from_inside(self, tmp_path: Path) -> None:
        (tmp_path / "one").mkdir()
        (tmp_path / "two").mkdir()
        beside = zip_of([("shop/Dockerfile", b""), ("README", b"")])
        assert contents(await unpack(tmp_path / "one", beside)) == {"shop/Dockerfile": b"", "README": b""}
        inside = tar_of(entry(b"./", kind=b"5"), entry(b"./shop/Dockerfile"))
        assert contents(await unpack(tmp_path / "two", inside)) == {"shop/Dockerfile": b""}

    async def test_only_the_executable_bit_is_kept(self, tmp_path: Path) -> None:
        tree = await unpack(
            tmp_path, tar_of(entry(b"run", mode=0o6777), entry(b"secret", mode=0), entry(b"d/", kind=b"5", mode=0o1777))
        )
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in sorted(tree.iterdir())}
        assert modes == {"run": 0o755, "secret": 0o644, "d": 0o755}

    async def test_zip_keeps_executables_and_links(self, tmp_path: Path) -> None:
        content = zip_of(
            [(zip_entry("run", 0o104755), b"x"), (zip_entry("link", 0o120777), b"run"), ("__MACOSX/._run", b"fork")]
        )
        tree = await unpack(tmp_path, content)
        assert names_in(tree) == ["link", "run"]
        assert stat.S_IMODE((tree / "run").stat().st_mode) == 0o755
        assert (tree / "link").readlink() == Path("run")

    async def test_zip_from_windows_has_folders(self, tmp_path: Path) -> None:
        found = zipfile.ZipInfo("src")
        found.create_system = 0
        found.filename = "src\\main.py"
        tree = await unpack(tmp_path, zip_of([(found, b"x"), ("b", b"")]))
        assert contents(tree) == {"src/main.py": b"x", "b": b""}

    async def test_links_inside_are_kept_as_written(self, tmp_path: Path) -> None:
        targets = {b"a": b"./dir//file", b"dir/up": b"../a", b"dangling": b"not/there", b"round": b"round"}
        tree = await unpack(tmp_path, tar_of(entry(b"dir/file"), *(link(*pair) for pair in targets.items())))
        assert {name: link_target(tree, name) for name in targets} == targets

    async def test_hard_links_become_files_of_the_same_content(self, tmp_path: Path) -> None:
        tree = await unpack(tmp_path, tar_of(entry(b"a", b"text"), entry(b"b/c", kind=b"1", target=b"a")))
        assert contents(tree) == {"a": b"text", "b/c": b"text"}

    async def test_last_of_several_entries_wins_and_harms_no_other(self, tmp_path: Path) -> None:
        tree = await unpack(
            tmp_path,
            tar_of(
                entry(b"a", b"old"),
                entry(b"same", kind=b"1", target=b"a"),
                entry(b"a", b"new"),
                link(b"l", b"a"),
                entry(b"l", b"file"),
                entry(b"A", b"other case"),
            ),
        )
        assert contents(tree) == {"a": b"new", "same": b"old", "l": b"file", "A": b"other case"}
        assert not (tree / "l").is_symlink()
