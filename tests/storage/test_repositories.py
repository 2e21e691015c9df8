"""Bare repositories: made once, listed, measured, removed; and what passes the gate of one."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from towline.errors import InvalidInput, TimedOut
from towline.storage.repositories.dialog import to_line, to_push
from towline.storage.repositories.local import LocalRepositories
from towline.storage.repositories.lock import RepositoryLock

_NEW, _OLD, _NONE = "a" * 40, "b" * 40, "0" * 40
_HOSTILE = (
    "refs/heads/../../../etc/passwd",
    "refs/heads/a..b",
    "refs/heads/-x/",
    "refs/heads/--upload-pack=touch",
    "refs/heads/a b",
    "refs/heads/a\nb",
    "refs/heads/.hidden",
    "refs/heads/a.lock",
    "refs/heads/" + "a" * 10_000,
    "refs/heads/bad\udcff",
    "refs/heads/",
    "refs/notes/commits",
    "refs/for/main",
    "HEAD",
    "",
)


@pytest.fixture
def repositories(tmp_path: Path) -> LocalRepositories:
    return LocalRepositories(
        tmp_path / "repositories", tmp_path / "tmp", max_push_bytes=10_000_000, longest_push=timedelta(seconds=5)
    )


def question(repository: Path, *changes: list[str]) -> bytes:
    """What the hook asks."""
    return json.dumps({"changes": changes, "quarantine": str(repository / "objects" / "incoming")}).encode()


async def test_a_repository_is_made_once_and_removed(repositories: LocalRepositories, tmp_path: Path) -> None:
    await asyncio.gather(*(repositories.prepare("svc_1", branch="main") for _ in range(4)))
    await repositories.prepare("svc_1", branch="trunk")
    assert (tmp_path / "repositories" / "svc_1.git" / "HEAD").read_text() == "ref: refs/heads/trunk\n"
    assert await repositories.list_names() == ["svc_1"]
    assert await repositories.measure("svc_1") > 0
    await repositories.tidy("svc_1", at_once=True)
    await repositories.remove("svc_1")
    await repositories.remove("svc_1")
    assert await repositories.list_names() == []
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("name", ["", "../up", "a/b", "A", "a" * 65, "svc 1", "-x"])
async def test_what_is_no_name_is_no_path(repositories: LocalRepositories, name: str) -> None:
    with pytest.raises(InvalidInput):
        await repositories.prepare(name, branch="main")
    with pytest.raises(InvalidInput):
        await repositories.remove(name)


def test_changes_are_read(tmp_path: Path) -> None:
    push = to_push(
        question(tmp_path, [_NONE, _NEW, "refs/heads/$(touch_x)/`id`"], [_OLD, _NONE, "refs/tags/v1"]),
        repository=tmp_path,
    )
    assert [(change.name, change.old, change.new) for change in push.changes] == [
        ("refs/heads/$(touch_x)/`id`", "", _NEW),
        ("refs/tags/v1", _OLD, ""),
    ]


@pytest.mark.parametrize("name", _HOSTILE)
def test_refs_that_are_none_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        to_push(question(tmp_path, [_NONE, _NEW, name]), repository=tmp_path)


def test_a_quarantine_elsewhere_is_refused(tmp_path: Path) -> None:
    content = json.dumps({"changes": [], "quarantine": str(tmp_path / "objects" / ".." / "elsewhere")}).encode()
    with pytest.raises(InvalidInput):
        to_push(content, repository=tmp_path)


def test_nothing_that_is_shown_commands_a_terminal() -> None:
    assert to_line("\x1b[31mred\x1b[0m \x1b]0;title\x07\r\tend\x9b1m") == "red ]0;title\tend1m"
    assert len(to_line("x" * 10_000)) == 2000


async def test_one_at_a_time_passes(tmp_path: Path) -> None:
    first, second = (RepositoryLock(tmp_path / "lock", longest_seconds=0.5) for _ in range(2))
    assert first.try_to_take()
    assert not second.try_to_take()
    with pytest.raises(TimedOut):
        await second.take()
    first.release()
    await second.take()
    second.release()
