"""Wishes: kept until they are granted, whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from towline.errors import Unavailable
from towline.infra import private_files
from towline.infra.wishes import changing, find_wish, granting, wish

_WANTED = {"TOWLINE_BASE_DOMAIN": "example.com"}
_GONE = 2**22 + 1  # above the highest process id there can be


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def test_a_wish_is_granted_once_and_is_for_nobody_elses_eyes(folder: Path) -> None:
    assert find_wish(folder) == {}
    with pytest.raises(Unavailable, match="supervisor is gone"):
        wish(folder, _WANTED, supervisor=_GONE)
    assert (folder / "run" / "wish.json").stat().st_mode & 0o777 == 0o600
    with granting(folder) as wished:
        assert wished == _WANTED
    with granting(folder) as wished:
        assert wished == {}


def test_a_grant_that_fails_leaves_the_wish(folder: Path) -> None:
    with pytest.raises(Unavailable):
        wish(folder, _WANTED, supervisor=_GONE)
    with pytest.raises(OSError, match="full"), granting(folder):
        raise OSError("full")
    assert find_wish(folder) == _WANTED


def test_what_nobody_may_wish_for_and_what_cannot_be_read_are_no_wishes(folder: Path) -> None:
    file = folder / "run" / "wish.json"
    file.write_text('{"TOWLINE_DATA_DIR": "/", "TOWLINE_BASE_DOMAIN": "example.com"}')
    assert find_wish(folder) == _WANTED
    file.write_text('{"TOWLINE_BASE')
    assert find_wish(folder) == {}


def test_a_wish_waits_until_a_grant_has_ended_and_is_not_forgotten_with_it(folder: Path) -> None:
    wishing = Thread(target=_wish, args=(folder,))
    with granting(folder) as wished:
        wishing.start()
        wishing.join(0.2)
        assert (wishing.is_alive(), wished) == (True, {})
    wishing.join(20)
    assert find_wish(folder) == _WANTED


def test_nobody_waits_for_ever_for_a_process_that_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_files, "_TRIES", 3)
    with changing(folder), pytest.raises(Unavailable, match="Another process"):
        wish(folder, _WANTED, supervisor=_GONE)
    assert find_wish(folder) == {}


def test_without_room_no_wish_is_left(folder: Path) -> None:
    (folder / "run" / f".wish.json.{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        wish(folder, _WANTED, supervisor=_GONE)
    assert find_wish(folder) == {}


def _wish(folder: Path) -> None:
    with suppress(Unavailable):
        wish(folder, _WANTED, supervisor=_GONE)
