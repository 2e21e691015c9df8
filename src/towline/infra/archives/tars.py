"""Reading tar streams entry by entry, in bounded memory."""

from collections.abc import Callable, Iterator
from typing import Protocol

from towline.errors import BundleRejected, TooLarge
from towline.infra.archives.headers import BLOCK, Header, decode_header, decode_pax, decode_size
from towline.infra.archives.members import CHUNK, Kind, Member, shown

_LONGEST_EXTENSION = 1024 * 1024
_TRAILER = 1024 * 1024
_KINDS = {b"0": Kind.FILE, b"\0": Kind.FILE, b"7": Kind.FILE, b"1": Kind.HARD_LINK, b"2": Kind.LINK, b"5": Kind.FOLDER}
_DEVICES = {b"3": "a device", b"4": "a device", b"6": "a named pipe", b"S": "a sparse file"}


class Readable(Protocol):
    """Anything that gives at most `size` bytes, and none at its end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        ...


class TarStream:
    """An uncompressed tar being read; refuses to go on past `limit` bytes. `check` is called with every read."""

    def __init__(self, source: Readable, *, limit: int, check: Callable[[], None]) -> None:
        self._source = source
        self._left = limit
        self._check = check

    def members(self) -> Iterator[Member]:
        """Every entry; the content of one not read by the caller is skipped."""
        extension: dict[bytes, bytes] = {}
        for header in self._headers():
            if header.kind in b"xXgLKV":
                extension |= self._read_extension(header)
                continue
            member = _to_member(header, extension)
            extension = {}
            content = self._content(member.size)
            yield Member(member.name, member.kind, member.size, member.is_executable, member.target, content)
            for _ in content:
                pass
        self._read_trailer()

    def _headers(self) -> Iterator[Header]:
        block = self._read_block()
        if not block:
            raise BundleRejected("The archive is empty.")
        while block and (header := decode_header(block)):
            yield header
            block = self._read_block()

    def _content(self, size: int) -> Iterator[bytes]:
        left = size
        while left:
            chunk = self._read(min(left, CHUNK))
            if not chunk:
                raise BundleRejected("The archive is damaged: it ends in the middle of a file.")
            left -= len(chunk)
            yield chunk
        self._read_exactly(-size % BLOCK)

    def _read_extension(self, header: Header) -> dict[bytes, bytes]:
        if header.size > _LONGEST_EXTENSION:
            raise BundleRejected(f"The header before the entry {shown(header.name)} is too long.")
        body = self._read_exactly(header.size)
        self._read_exactly(-header.size % BLOCK)
        if header.kind in b"xX":
            return decode_pax(body)
        key = {b"L": b"path", b"K": b"linkpath"}.get(header.kind)
        return {key: body.split(b"\0", 1)[0]} if key else {}

    def _read_block(self) -> bytes:
        block = self._read(BLOCK)
        return block + self._read_exactly(BLOCK - len(block)) if block else b""

    def _read_exactly(self, size: int) -> bytes:
        pieces: list[bytes] = []
        while size:
            piece = self._read(size)
            if not piece:
                raise BundleRejected("The archive is damaged: it ends too early.")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _read(self, size: int) -> bytes:
        self._check()
        chunk = self._source.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise TooLarge("The archive unpacks to more than the limit allows.")
        return chunk

    def _read_trailer(self) -> None:
        """Reach the end of what normal archives have there, so that a compressed stream verifies its checksum."""
        read = 0
        while read < _TRAILER and (chunk := self._read(BLOCK * 20)):
            read += len(chunk)


def _to_member(header: Header, extension: dict[bytes, bytes]) -> Member:
    name = extension.get(b"path", header.name)
    kind = _KINDS.get(header.kind)
    if kind is None or any(key.startswith(b"GNU.sparse") for key in extension):
        reason = _DEVICES.get(header.kind if kind is None else b"S", "of an unknown kind")
        raise BundleRejected(f"The entry {shown(name)} is {reason}.")
    if kind is Kind.FILE and name.endswith(b"/"):
        kind = Kind.FOLDER
    size = decode_size(extension[b"size"], name) if b"size" in extension else header.size
    if size < 0:
        raise BundleRejected(f"The entry {shown(name)} has a negative size.")
    return Member(
        name,
        kind,
        size=size if kind is Kind.FILE else 0,
        is_executable=bool(header.mode & 0o111),
        target=extension.get(b"linkpath", header.target),
    )
