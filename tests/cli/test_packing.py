"""What goes into an upload: the files git and Docker would see, always the same bytes."""

import os
import subprocess
import tarfile
from pathlib import Path

import pytest
import zstandard

from towline.cli.ignores import list_files
from towline.cli.packing import packed
from towline.client.uploads import digest_of
from towline.errors import BundleRejected, InvalidInput


def _write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def _git_files(folder: Path) -> list[str]:
    arguments = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    return sorted(subprocess.check_output(arguments, cwd=folder, text=True, timeout=20).split("\0")[:-1])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with ignore files of every kind."""
    folder = tmp_path / "repository"
    _write(
        folder,
        *("a.log", "keep.log", "src/a.log", "src/deep/b.tmp", "src/deep/keep.tmp", "src/x.c", "build/out.o"),
        *(
            "sub/build/out.o",
            "sub/.env",
            ".env",
            "vendor/lib/a.c",
            "vendor/keep/b.c",
            "name with space",
            "#hash",
            "!bang",
        ),
        *("local.secret", "doc/frotz/a", "a/doc/frotz/b"),
    )
    (folder / ".gitignore").write_text(
        "# comment\n*.log\n!keep.log\n/build/\n.env\nvendor/*\n!vendor/keep/\n\\#hash\ndoc/frotz\n"
    )
    (folder / "src" / "deep" / ".gitignore").write_text("*.tmp\n!keep.tmp\n")
    (folder / "sub" / ".gitignore").write_text("!.env\n")
    (folder / "link").symlink_to("src/x.c")
    subprocess.run(["git", "init", "-q", str(folder)], check=True, timeout=20)
    (folder / ".git" / "info" / "exclude").write_text("local.secret\n")
    return folder


def test_files_are_those_git_would_commit(tree: Path) -> None:
    assert list_files(tree) == _git_files(tree)


def test_rules_above_a_deployed_folder_count(tree: Path) -> None:
    _write(tree, "sub/x.log", "sub/keep.log", "sub/main.c")
    assert list_files(tree / "sub") == [".env", ".gitignore", "build/out.o", "keep.log", "main.c"]
    assert list_files(tree / "sub") == _git_files(tree / "sub")


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("*.md", ["deep/readme.md", "src/a.c", "src/b.md"]),
        ("**/*.md", ["src/a.c"]),
        ("src", ["deep/readme.md", "top.md"]),
        ("/src/", ["deep/readme.md", "top.md"]),
        ("*\n!src\nsrc/*.md", ["src/a.c"]),
        ("*/*.md\n!deep/readme.md", ["deep/readme.md", "src/a.c", "top.md"]),
        ("# nothing\n\n", ["deep/readme.md", "src/a.c", "src/b.md", "top.md"]),
        ("src/../top.md", ["deep/readme.md", "src/a.c", "src/b.md"]),
    ],
)
def test_dockerignore_is_read_as_docker_reads_it(tmp_path: Path, rules: str, left: list[str]) -> None:
    _write(tmp_path, "top.md", "src/a.c", "src/b.md", "deep/readme.md", "Dockerfile")
    (tmp_path / ".dockerignore").write_text(rules)
    assert [name for name in list_files(tmp_path) if name not in {".dockerignore", "Dockerfile"}] == left


def test_dockerignore_of_another_context_does_not_count(tmp_path: Path) -> None:
    _write(tmp_path, "a.md")
    (tmp_path / ".dockerignore").write_text("*.md")
    assert "a.md" in list_files(tmp_path, uses_dockerignore=False)


def test_dockerfile_is_kept_wherever_it_is(tmp_path: Path) -> None:
    _write(tmp_path, "deploy/Dockerfile", "deploy/other")
    (tmp_path / ".dockerignore").write_text("deploy")
    assert list_files(tmp_path, dockerfile="deploy/Dockerfile") == [".dockerignore", "deploy/Dockerfile"]


def test_unreadable_rule_is_named(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("!\n")
    with pytest.raises(InvalidInput, match="gitignore has a pattern"):
        list_files(tmp_path)


def test_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    digests: set[str] = set()
    for name, age in (("one", 1), ("two", 1_000_000)):
        folder = tmp_path / name
        _write(folder, "a", "b/c")
        (folder / "a").chmod(0o640)
        os.utime(folder / "a", (age, age))
        with packed(folder, list_files(folder)) as pack:
            digests.add(digest_of(pack.path)[0])
    assert len(digests) == 1


def test_modes_links_and_long_names_are_kept(tmp_path: Path) -> None:
    long = "/".join(["d" * 80] * 3) + "/ü"
    _write(tmp_path, "run.sh", long)
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("run.sh")
    (tmp_path / "dead").symlink_to("nowhere")
    with packed(tmp_path, list_files(tmp_path)) as pack:
        plain = zstandard.ZstdDecompressor().stream_reader(pack.path.read_bytes())
        with tarfile.open(fileobj=plain, mode="r|") as archive:
            members = {member.name: (member.mode, member.linkname, member.size) for member in archive}
        assert (pack.files, pack.unpacked_bytes > 0) == (4, True)
    assert members["run.sh"] == (0o755, "", 6)
    assert members["link"][1] == "run.sh"
    assert members["dead"][1] == "nowhere"
    assert long in members
    assert not pack.path.exists()


def test_file_that_vanished_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleRejected, match="gone cannot be packed"), packed(tmp_path, ["gone"]):
        pass


def test_pipes_and_sockets_are_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    _write(tmp_path, "a")
    assert list_files(tmp_path) == ["a"]
