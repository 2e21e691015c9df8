"""Finding files that git-lfs should have replaced."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

_POINTER = b"version https://git-lfs.github.com/spec/v1"
_LONGEST_POINTER = 1024
_LONGEST_ATTRIBUTES = 1024 * 1024


def find_lfs_pointers(tree: Path) -> Sequence[str]:
    """Paths of files that are still Git LFS pointers; looks at contents only where LFS is in use. Blocks.

    https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
    """
    uses_lfs = any(
        b"filter=lfs" in _start_of(path, _LONGEST_ATTRIBUTES) for path in _files(tree) if path.name == ".gitattributes"
    )
    if not uses_lfs:
        return []
    return [
        str(path.relative_to(tree))
        for path in _files(tree)
        if path.lstat().st_size < _LONGEST_POINTER and _start_of(path, len(_POINTER)) == _POINTER
    ]


def _files(tree: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(tree):
        yield from (path for name in names if not (path := Path(folder, name)).is_symlink())


def _start_of(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)
