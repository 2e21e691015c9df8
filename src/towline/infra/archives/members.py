"""What an archive holds, one entry at a time, and the limits it must stay within."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from towline.errors import BundleRejected

CHUNK = 1024 * 1024


class Kind(StrEnum):
    """The only kinds of entries a tree may have."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    HARD_LINK = "hard link"


@dataclass(frozen=True, slots=True)
class Member:
    """One entry. `content` (files only) must be read before the next entry is asked for."""

    name: bytes
    kind: Kind
    size: int = 0
    is_executable: bool = False
    target: bytes = b""
    content: Iterator[bytes] = field(default_factory=lambda: iter(()))


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """The most an archive may unpack to; paths in bytes, `ratio` of unpacked to packed size above `ratio_from`."""

    max_bytes: int = 2 * 1024**3
    max_files: int = 200_000
    max_file_bytes: int = 2 * 1024**3
    max_ratio: int = 200
    ratio_from: int = 64 * 1024**2
    max_path: int = 2048
    max_depth: int = 100


def shown(name: bytes) -> str:
    """A name as an error message may quote it: control characters escaped, at most 200 long."""
    return repr(name.decode(errors="backslashreplace")[:200])


def checked_parts(name: bytes, limits: UnpackLimits) -> tuple[bytes, ...]:
    """The parts of a relative path without `.`; BundleRejected when it is absolute, leaves the tree or is too long."""
    parts = tuple(part for part in name.split(b"/") if part not in {b"", b"."})
    if name.startswith(b"/"):
        raise BundleRejected(f"The entry {shown(name)} has an absolute path.")
    if b".." in parts:
        raise BundleRejected(f"The entry {shown(name)} leads out of the archive.")
    if b"\0" in name:
        raise BundleRejected(f"The entry {shown(name)} has a NUL byte in its name.")
    is_too_long = len(name) > limits.max_path or any(len(part) > 255 for part in parts)
    if is_too_long or len(parts) > limits.max_depth:
        raise BundleRejected(
            f"The path {shown(name)} is too long: at most {limits.max_path} bytes, 255 a part, {limits.max_depth} deep."
        )
    return parts
