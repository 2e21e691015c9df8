"""Former hosts: kept when Towline moves, known to every process, bounded, and never the present one."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from towline.infra.former_hosts import MOST, NOTED_EVERY, FormerHosts

_NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


def moved(folder: Path, *hosts: str) -> FormerHosts:
    """Where Towline was in turn; the last one is where it is."""
    for host in hosts:
        FormerHosts(folder, current=host).move()
    return FormerHosts(folder, current=hosts[-1])


def names(former: FormerHosts) -> list[str]:
    return [one.host for one in former.list_hosts()]


def test_whoever_has_not_moved_has_none(tmp_path: Path) -> None:
    assert names(FormerHosts(tmp_path, current="a.test")) == []
    assert names(moved(tmp_path, "a.test", "a.test")) == []
    assert (tmp_path / "former-hosts.json").stat().st_mode & 0o777 == 0o600


def test_the_last_one_comes_first_and_the_present_one_is_none_of_them(tmp_path: Path) -> None:
    assert names(moved(tmp_path, "a.test", "b.test", "c.test")) == ["b.test", "a.test"]
    assert names(moved(tmp_path, "a.test")) == ["c.test", "b.test"]
    assert names(moved(tmp_path, "a.test")) == ["c.test", "b.test"], "starting again changes nothing"


def test_the_oldest_goes_when_there_are_too_many(tmp_path: Path) -> None:
    hosts = [f"{number}.test" for number in range(MOST + 3)]
    assert names(moved(tmp_path, *hosts)) == hosts[-2 : -2 - MOST : -1]


def test_what_another_process_did_is_known_at_once(tmp_path: Path) -> None:
    here, there = moved(tmp_path, "a.test", "b.test"), FormerHosts(tmp_path, current="b.test")
    assert here.has("a.test")
    there.retire("a.test")
    there.retire("a.test")
    assert (here.has("a.test"), names(here)) == (False, [])


def test_a_use_is_noted_now_and_then(tmp_path: Path) -> None:
    former = moved(tmp_path, "a.test", "b.test", "c.test")
    assert former.is_worth_noting("a.test", now=_NOW)
    former.note_use("a.test", now=_NOW)
    former.note_use("elsewhere.test", now=_NOW)
    assert [one.last_used_at for one in FormerHosts(tmp_path, current="c.test").list_hosts()] == [None, _NOW]
    assert not former.is_worth_noting("a.test", now=_NOW + NOTED_EVERY - timedelta(seconds=1))
    assert former.is_worth_noting("a.test", now=_NOW + NOTED_EVERY)


def test_where_towline_was_at_a_moment_is_known_while_that_is_kept(tmp_path: Path) -> None:
    beginning = datetime.now(UTC)
    former = moved(tmp_path, "a.test", "b.test", "c.test")
    b, a = former.list_hosts()
    assert (a.came_at, b.came_at) == (None, a.left_at)
    asked = (beginning, a.left_at, b.left_at - timedelta(microseconds=1), b.left_at)
    assert [former.find_host_of(moment) for moment in asked] == ["a.test", "b.test", "b.test", None]
    former.retire("a.test")
    assert former.find_host_of(beginning) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"current": "a.test"}', '{"current": "a.test", "former": [1]}'])
def test_a_damaged_file_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "former-hosts.json").write_text(content)
    assert names(FormerHosts(tmp_path, current="b.test")) == []
    assert names(moved(tmp_path, "b.test", "c.test")) == ["b.test"]


def test_without_room_nothing_is_lost(tmp_path: Path) -> None:
    former = moved(tmp_path, "a.test", "b.test")
    (tmp_path / f".former-hosts.json.{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        former.retire("a.test")
    assert names(former) == ["a.test"]
