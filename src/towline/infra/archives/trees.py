"""Writing untrusted entries into a fresh folder so that nothing lands outside it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from towline.errors import BundleRejected, TooLarge
from towline.infra.archives.members import Kind, Member, UnpackLimits, checked_parts, shown

_MOST_HOPS = 255  # No program follows more links on one way; Linux stops at 40.
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class TreeWriter:
    """Writes one archive's entries under `root`, a folder nobody else writes to.

    Links are made last, by `finish`: until then no path leads through a link, so none can lead out.
    A later entry of the same name replaces an earlier one, as `tar` does it.
    """

    def __init__(self, root: Path, limits: UnpackLimits, *, packed_size: int, check: Callable[[], None]) -> None:
        self._root = root
        self._limits = limits
        self._check = check
        self._most_bytes = limits.max_bytes
        self._most_for_ratio = max(limits.ratio_from, packed_size * limits.max_ratio)
        self._bytes = 0
        self._count = 0
        self._folders: set[bytes] = {b""}
        self._links: dict[bytes, bytes] = {}
        self._has_root_entry = False

    def write(self, member: Member) -> None:
        """Write one entry; BundleRejected or TooLarge, naming it, when it must not be."""
        self._check()
        path = b"/".join(checked_parts(member.name, self._limits))
        self._count_entry(member)
        if not path:
            self._has_root_entry = True
            return
        if member.kind is Kind.FOLDER:
            self._make_folder(path, member)
            return
        self._make_folder(_parent(path), member)
        self._clear(path, member)
        writers = {Kind.FILE: self._write_file, Kind.LINK: self._plan_link, Kind.HARD_LINK: self._write_hard_link}
        writers[member.kind](path, member)

    def finish(self, *, strips_top: bool) -> Path:
        """Make the links and return the tree's root: the single top folder, if there is one and it is stripped.

        A folder packed from the inside (`tar -C folder .`) has an entry for itself and is never stripped.
        """
        root = self._root
        tops = {
            *(path for path in self._links if b"/" not in path),
            *(os.fsencode(path.name) for path in root.iterdir()),
        }
        if strips_top and not self._has_root_entry and len(tops) == 1 and (top := tops.pop()) in self._folders:
            root = self._at(top)
        for path, target in self._links.items():
            self._at(path).symlink_to(os.fsdecode(target))
        for path in self._links:
            self._check()
            inner = path if root == self._root else path.partition(b"/")[2]
            get_link_target(self._at(path), root=root, name=inner)
        return root

    def _count_entry(self, member: Member) -> None:
        self._count += 1
        if self._count > self._limits.max_files:
            raise TooLarge(
                f"The archive holds more than {self._limits.max_files} entries; {shown(member.name)} is over."
            )
        self._count_bytes(member, member.size, self._bytes + member.size)

    def _count_bytes(self, member: Member, size: int, total: int) -> None:
        if size > self._limits.max_file_bytes:
            raise TooLarge(f"The file {shown(member.name)} is larger than {self._limits.max_file_bytes} bytes.")
        if total > self._most_bytes:
            raise TooLarge(f"The archive unpacks to more than {self._most_bytes} bytes at {shown(member.name)}.")
        if total > self._most_for_ratio:
            raise TooLarge(
                f"The archive unpacks to more than {self._limits.max_ratio} times its size at {shown(member.name)}."
            )

    def _make_folder(self, path: bytes, member: Member) -> None:
        if path in self._folders:
            return
        self._make_folder(_parent(path), member)
        self._count_entry(Member(member.name, Kind.FOLDER))
        if path in self._links:
            raise BundleRejected(f"The entry {shown(member.name)} goes through the link {shown(path)}.")
        try:
            self._at(path).mkdir()
            self._at(path).chmod(0o755)
        except (FileExistsError, NotADirectoryError) as error:
            raise BundleRejected(f"The entry {shown(member.name)} goes through the file {shown(path)}.") from error
        self._folders.add(path)

    def _clear(self, path: bytes, member: Member) -> None:
        if path in self._folders:
            raise BundleRejected(f"The entry {shown(member.name)} is both a folder and something else.")
        if self._links.pop(path, None) is None:
            self._at(path).unlink(missing_ok=True)

    def _write_file(self, path: bytes, member: Member) -> None:
        mode = 0o755 if member.is_executable else 0o644
        descriptor = os.open(self._at(path), _WRITE, mode)
        written = 0
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for chunk in member.content:
                self._check()
                written += len(chunk)
                self._count_bytes(member, written, self._bytes + written)
                file.write(chunk)
            os.fchmod(descriptor, mode)
        self._bytes += written

    def _plan_link(self, path: bytes, member: Member) -> None:
        if not member.target or b"\0" in member.target or len(member.target) > 4095:
            raise BundleRejected(f"The link {shown(member.name)} has no usable target.")
        self._links[path] = member.target

    def _write_hard_link(self, path: bytes, member: Member) -> None:
        target = b"/".join(checked_parts(member.target, self._limits))
        if target in self._links:
            self._links[path] = self._links[target]
            return
        source = self._at(target)
        if not source.is_file():
            raise BundleRejected(f"The entry {shown(member.name)} links to {shown(target)}, which is not before it.")
        size = source.stat().st_size
        self._count_bytes(member, size, self._bytes + size)
        self._bytes += size
        self._at(path).hardlink_to(source)

    def _at(self, path: bytes) -> Path:
        return self._root / os.fsdecode(path)


def get_link_target(path: Path, *, root: Path, name: bytes) -> bytes:
    """A symbolic link's target; BundleRejected unless the way there, every link on it followed, stays inside `root`.

    `name` is the link's path from `root`.
    """
    target = _read_link(path)
    # Not Path.resolve: it raises for links in a circle, which are harmless.
    is_inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
    if target is None or not is_inside or _leaves(root, name):
        raise BundleRejected(f"The link {shown(name)} leads out of the tree, to {shown(target or b'')}.")
    return target


def _leaves(root: Path, name: bytes) -> bool:
    """Whether the way to `name` passes above `root`, if only to come back by root's name, which may change."""
    here: list[bytes] = []
    ahead = name.split(b"/")[::-1]
    hops = 0
    while ahead and hops < _MOST_HOPS:
        part = ahead.pop()
        if part in {b"", b"."}:
            continue
        if part == b"..":
            if not here:
                return True
            here.pop()
            continue
        target = _read_link(root / os.fsdecode(b"/".join((*here, part))))
        if target is None:
            here.append(part)
            continue
        if target.startswith(b"/"):
            return True
        ahead += target.split(b"/")[::-1]
        hops += 1
    return False


def _read_link(path: Path) -> bytes | None:
    try:
        return os.readlink(os.fsencode(path))  # noqa: PTH115 - Path.readlink would change `./a//b`
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}:
            return None
        raise


def _parent(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]
