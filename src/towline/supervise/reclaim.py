"""Giving back memory that a program needed for its start alone."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

_SYS_PROCESS_MADVISE = 440  # the same number on every architecture (process_madvise(2), Linux 5.10)
_MADV_PAGEOUT = 21


class _Range(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("length", ctypes.c_size_t))


def reclaim_program_pages(process_id: int) -> None:
    """Let the kernel drop the pages of a process's program file; those still needed come back when next touched.

    Traefik's program is 185 MB; its start touches 80 MB of it, its work about 20. Does nothing where the kernel or
    the account does not allow it.
    """
    with suppress(OSError):
        descriptor = os.pidfd_open(process_id)
        try:
            for start, end in _read_only_file_ranges(process_id):
                _page_out(descriptor, start, end)
        finally:
            os.close(descriptor)


def _read_only_file_ranges(process_id: int) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for line in Path(f"/proc/{process_id}/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].startswith("/") and "w" not in fields[1]:
            start, _, end = fields[0].partition("-")
            ranges.append((int(start, 16), int(end, 16)))
    return ranges


def _page_out(descriptor: int, start: int, end: int) -> None:
    piece = _Range(start, end - start)
    ctypes.CDLL(None).syscall(_SYS_PROCESS_MADVISE, descriptor, ctypes.byref(piece), 1, _MADV_PAGEOUT, 0)
