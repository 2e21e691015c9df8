"""The reserve is given up on a full disk, and put back when there is room; on a real disk of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.errors import DiskFull
from towline.infra.disk_reserve import RESERVE_BYTES, DiskReserve

pytestmark = pytest.mark.slow
MEBIBYTE = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 MB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


@pytest.fixture
def reserve(disk: Path) -> DiskReserve:
    """A whole reserve on that disk."""
    reserve = DiskReserve(disk)
    assert reserve.keep() == ""
    assert (disk / "reserve").stat().st_size == RESERVE_BYTES
    return reserve


def fill(disk: Path, *, left: int) -> Path:
    """Fill the disk but for so many bytes."""
    file = disk / "fill"
    size = shutil.disk_usage(disk).free - left
    with file.open("wb") as opened:
        os.posix_fallocate(opened.fileno(), 0, size)
    return file


def test_reserve_takes_its_room_at_once(disk: Path) -> None:
    before = shutil.disk_usage(disk).free
    DiskReserve(disk).keep()
    assert before - shutil.disk_usage(disk).free == RESERVE_BYTES


def test_full_disk_gets_the_reserve(disk: Path, reserve: DiskReserve) -> None:
    fill(disk, left=0)
    assert "is full" in reserve.keep()
    assert shutil.disk_usage(disk).free == RESERVE_BYTES
    assert reserve.keep() == ""


def test_spent_reserve_is_for_the_database_alone(disk: Path, reserve: DiskReserve) -> None:
    reserve.check("The build")
    fill(disk, left=0)
    reserve.check("The build")
    reserve.keep()
    assert reserve.is_spent()
    with pytest.raises(DiskFull, match="The build needs room"):
        DiskReserve(disk).check("The build")


def test_reserve_comes_back_with_the_room(disk: Path, reserve: DiskReserve) -> None:
    file = fill(disk, left=0)
    reserve.keep()
    file.unlink()
    assert not reserve.is_spent()
    assert "put back" in reserve.keep()
    assert (disk / "reserve").stat().st_size == RESERVE_BYTES


def test_low_disk_keeps_the_reserve(disk: Path, reserve: DiskReserve) -> None:
    fill(disk, left=2 * MEBIBYTE)
    assert reserve.keep() == ""
    assert not reserve.is_spent()


def test_no_reserve_is_made_on_a_small_disk(disk: Path) -> None:
    fill(disk, left=3 * RESERVE_BYTES)
    reserve = DiskReserve(disk)
    assert reserve.keep() == ""
    assert not (disk / "reserve").exists()
    assert not reserve.is_spent()


def test_fuller_disk_is_looked_at_more_often(disk: Path, reserve: DiskReserve) -> None:
    assert reserve.next_look() == 0.5
    assert 0.5 <= DiskReserve(Path("/")).next_look() <= 30
