"""Tar headers (POSIX.1-2001 ustar and pax, GNU long names) as pure functions of bytes.

The standard library's reader takes headers of any length into memory and matches them with expressions that can take
minutes; its writer's output may change between Python releases, and with it every bundle's digest.
"""

from dataclasses import dataclass

from towline.errors import BundleRejected
from towline.infra.archives.members import shown

BLOCK = 512
END = bytes(2 * BLOCK)
_USTAR_SIZE = 8 * 1024**3 - 1


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of one header block that matter to a tree; `kind` is the type flag."""

    name: bytes
    kind: bytes
    size: int
    mode: int
    target: bytes


def encode_header(name: bytes, *, kind: bytes, mode: int, size: int = 0, target: bytes = b"") -> bytes:
    """The header blocks of one entry: no time, no owner, pax records only for what plain ustar cannot say."""
    records = _needed_records(name, size, target)
    block = _encode_block(name[:100], kind=kind, mode=mode, size=min(size, _USTAR_SIZE), target=target[:100])
    if not records:
        return block
    header = _encode_block(b"pax_header", kind=b"x", mode=0o644, size=len(records), target=b"")
    return header + records + padding(len(records)) + block


def decode_header(block: bytes) -> Header | None:
    """The header in a block, None for the zeros that end an archive; BundleRejected when it is neither."""
    if not any(block):
        return None
    if _decode_number(block[148:156]) not in _checksums(block):
        raise BundleRejected("The archive is damaged: a tar header's checksum is wrong.")
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and block[345]:
        name = _text(block[345:500]) + b"/" + name
    return Header(
        name, block[156:157], _decode_number(block[124:136]), _decode_number(block[100:108]), _text(block[157:257])
    )


def decode_pax(body: bytes) -> dict[bytes, bytes]:
    """The records of a pax header (`length key=value\\n`); BundleRejected when they do not fit together."""
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(body) and body[position]:
        space = body.find(b" ", position, position + 20)
        digits = body[position:space] if space > 0 else b""
        end = position + int(digits) if digits.isdigit() else 0
        if end <= space or body[end - 1 : end] != b"\n":
            raise BundleRejected("The archive is damaged: a pax header's lengths are wrong.")
        key, _, records[key] = body[space + 1 : end - 1].partition(b"=")
        position = end
    return records


def decode_size(text: bytes, name: bytes) -> int:
    """A pax record's decimal size; BundleRejected when it is none."""
    if not text.isdigit() or len(text) > 19:
        raise BundleRejected(f"The entry {shown(name)} has no readable size.")
    return int(text)


def padding(size: int) -> bytes:
    """The zeros after `size` bytes up to the next block."""
    return bytes(-size % BLOCK)


def _needed_records(name: bytes, size: int, target: bytes) -> bytes:
    values = {
        b"path": name if len(name) > 100 or not name.isascii() else b"",
        b"linkpath": target if len(target) > 100 or not target.isascii() else b"",
        b"size": b"%d" % size if size > _USTAR_SIZE else b"",
    }
    records = b"".join(_encode_record(key, value) for key, value in values.items() if value)
    if records and not _is_utf8(name + b"/" + target):
        return _encode_record(b"hdrcharset", b"BINARY") + records
    return records


def _encode_record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + len(str(len(rest)))
    return b"%d" % (len(rest) + len(str(length))) + rest


def _encode_block(name: bytes, *, kind: bytes, mode: int, size: int, target: bytes) -> bytes:
    fields = (
        name.ljust(100, b"\0"),
        b"%07o\0" % mode,
        b"0000000\0" * 2,
        b"%011o\0" % size,
        b"00000000000\0",
        b" " * 8,
        kind,
        target.ljust(100, b"\0"),
        b"ustar\x0000",
    )
    block = b"".join(fields).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _checksums(block: bytes) -> set[int]:
    """The sum as the standard has it, and as old programs made it with signed characters."""
    summed = block[:148] + b" " * 8 + block[156:]
    total = sum(summed)
    return {total, total - 256 * sum(byte > 127 for byte in summed)}


def _decode_number(field: bytes) -> int:
    if field[0] in {0x80, 0xFF}:
        return int.from_bytes(field[1:], "big") if field[0] == 0x80 else -1
    digits = _text(field).strip(b" ")
    if not digits:
        return 0
    if any(byte not in b"01234567" for byte in digits):
        raise BundleRejected("The archive is damaged: a tar header has an unreadable number.")
    return int(digits, 8)


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
