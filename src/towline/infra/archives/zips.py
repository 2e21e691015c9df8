"""Reading zip files entry by entry, in bounded memory."""

import io
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from towline.errors import BundleRejected, TooLarge
from towline.infra.archives.members import CHUNK, Kind, Member, UnpackLimits, shown

_LONGEST_TARGET = 4096
_ENTRY = b"PK\x01\x02"
_KINDS = {0: Kind.FILE, stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.LINK}
_FROM_WINDOWS = 0
_FROM_UNIX = 3


class _ZipFile(io.FileIO):
    """Stops what `zipfile` would do for a hostile file: a huge list of entries, a seek before the start."""

    def __init__(self, path: Path, limits: UnpackLimits) -> None:
        super().__init__(path)
        self._limits = limits

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._limits.max_files * 512 + CHUNK:
            raise TooLarge("The archive's list of entries is longer than the limit allows.")
        content = super().read(-1 if size is None else size) or b""
        if content.startswith(_ENTRY) and content.count(_ENTRY) > self._limits.max_files:
            raise TooLarge(f"The archive holds more than {self._limits.max_files} entries.")
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_SET and offset < 0:
            raise zipfile.BadZipFile("an entry lies before the file's start")
        return super().seek(offset, whence)


def zip_members(path: Path, limits: UnpackLimits, check: Callable[[], None]) -> Iterator[Member]:
    """Every entry of a zip file but macOS's resource forks."""
    with _ZipFile(path, limits) as file, zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            check()
            if not entry.filename.startswith("__MACOSX/"):
                yield _to_member(archive, entry)


def _to_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Member:
    name = entry.filename
    if entry.create_system == _FROM_WINDOWS:
        name = name.replace("\\", "/")
    encoded = name.encode(errors="surrogateescape")
    if entry.flag_bits & 1:
        raise BundleRejected(f"The entry {shown(encoded)} is protected with a password.")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise BundleRejected(f"The entry {shown(encoded)} is packed in a way other than deflate.")
    mode = entry.external_attr >> 16 if entry.create_system == _FROM_UNIX else 0
    kind = Kind.FOLDER if name.endswith("/") else _KINDS.get(stat.S_IFMT(mode))
    if kind is None:
        raise BundleRejected(f"The entry {shown(encoded)} is a device, a named pipe or a socket.")
    if kind is Kind.LINK:
        return Member(encoded, kind, target=_read_target(archive, entry))
    is_executable = bool(mode & 0o111)
    return Member(encoded, kind, entry.file_size, is_executable, content=_content(archive, entry))


def _read_target(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        return file.read(_LONGEST_TARGET + 1)


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(entry) as file:
        while chunk := file.read(CHUNK):
            yield chunk
