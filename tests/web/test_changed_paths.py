"""Watch paths when a push does not list what it changed: the commits are compared through the connection."""

from typing import Any

import pytest
from tests.web.door import Door
from tests.web.heard import Heard
from tests.web.test_webhooks import Repository

_REPOSITORY = "https://github.com/acme/shop.git"
_BEFORE, _AFTER = "1" * 40, f"{1:040x}"
_FORWARDS = f"/repos/acme/shop/compare/{_BEFORE}...{_AFTER}"
_BACKWARDS = f"/repos/acme/shop/compare/{_AFTER}...{_BEFORE}"
_NOTHING: tuple[int, Any] = (500, {})
_UNKNOWN = "Which paths were changed is not known, so none were left out: "


@pytest.fixture
async def repository(door: Door) -> Repository:
    """A repository that `web` is built from, which watches `web/`, and `api`, which watches `api/`."""
    root = await door.add_person(is_administrator=True)
    await root.post("/projects", {"name": "shop"})
    source = {"type": "git", "config": {"url": _REPOSITORY, "branch": "main"}}
    for name in ("api", "web"):
        service = {"name": name, "source": source, "watch_paths": [f"{name}/"]}
        await root.post("/projects/shop/services", service)
    hook = await root.post("/projects/shop/hooks", {"source": "github", "repository": _REPOSITORY})
    return Repository(door, root, hook)


@pytest.fixture
async def connected(repository: Repository, heard: Heard) -> Heard:
    """The API that the project's connection for the repository leads to."""
    body = {"platform": "github", "project": "shop", "secret": "github_pat_1", "api_url": heard.url}
    await repository.owner.post("/connections", body)
    return heard


async def _push_unlisted(repository: Repository, **more: Any) -> None:
    """A push with a commit that lists no paths, as a merge does."""
    await repository.push(paths=[], **more)


async def _deployed(repository: Repository) -> list[str]:
    found = (await repository.owner.get("/deployments", project="shop"))["items"]
    return sorted(item["service"] for item in found)


def _comparison(*files: dict[str, str], status: str = "ahead") -> tuple[int, Any]:
    return 200, {"status": status, "files": list(files)}


async def test_commits_are_compared_when_a_push_lists_no_paths(repository: Repository, connected: Heard) -> None:
    connected.answers["GET", _FORWARDS] = _comparison({"filename": "web/index.html"})
    await _push_unlisted(repository)
    assert await repository.outcomes() == [("done", "")]
    assert await _deployed(repository) == ["web"]
    assert [call[:2] for call in connected.calls] == [("GET", _FORWARDS)]


async def test_a_renamed_file_counts_under_both_names(repository: Repository, connected: Heard) -> None:
    connected.answers["GET", _FORWARDS] = _comparison({"filename": "api/x", "previous_filename": "web/x"})
    await _push_unlisted(repository)
    await repository.outcomes()
    assert await _deployed(repository) == ["api", "web"]


async def test_what_is_watched_by_none_deploys_nothing(repository: Repository, connected: Heard) -> None:
    connected.answers["GET", _FORWARDS] = _comparison({"filename": "docs/index.md"})
    await _push_unlisted(repository)
    assert await repository.outcomes() == [("ignored", "Nothing was changed below the paths that are watched.")]


async def test_a_forced_push_also_counts_what_it_took_away(repository: Repository, connected: Heard) -> None:
    connected.answers["GET", _FORWARDS] = _comparison({"filename": "docs/index.md"}, status="diverged")
    connected.answers["GET", _BACKWARDS] = _comparison({"filename": "api/gone"}, status="diverged")
    await _push_unlisted(repository, forced=True)
    assert await repository.outcomes() == [("done", "")]
    assert await _deployed(repository) == ["api"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((404, {"message": "Not Found"}), "GitHub (github.com) answered 404: Not Found."),
        (_NOTHING, "GitHub (github.com) answered 500."),
        ((200, ["no comparison"]), "The platform does not list every path of so large a change."),
        (
            _comparison(*({"filename": f"docs/{number}"} for number in range(300))),
            "The platform does not list every path of so large a change.",
        ),
    ],
)
async def test_without_a_whole_answer_all_that_watch_are_deployed(
    repository: Repository, connected: Heard, answer: tuple[int, Any], reason: str
) -> None:
    connected.answers["GET", _FORWARDS] = answer
    await _push_unlisted(repository)
    assert await repository.outcomes() == [("done", _UNKNOWN + reason)]
    assert await _deployed(repository) == ["api", "web"]


async def test_without_a_connection_all_that_watch_are_deployed(repository: Repository) -> None:
    await _push_unlisted(repository)
    assert await repository.outcomes() == [("done", _UNKNOWN + "There is no connection for github.com/acme/shop.")]
    assert await _deployed(repository) == ["api", "web"]


async def test_a_new_branch_has_nothing_to_be_compared_with(repository: Repository, connected: Heard) -> None:
    await _push_unlisted(repository, before="0" * 40)
    assert await repository.outcomes() == [("done", _UNKNOWN + "No earlier commit is known to compare with.")]
    assert connected.calls == []


async def test_nothing_is_asked_where_it_does_not_matter(repository: Repository, connected: Heard) -> None:
    await repository.push(paths=["web/index.html"])
    await _push_unlisted(repository, ref="refs/heads/topic")
    await _push_unlisted(repository, message="Merge [skip ci]")
    assert [status for status, _ in await repository.outcomes()] == ["ignored", "ignored", "done"]
    assert connected.calls == []


async def test_a_replay_asks_again(repository: Repository, connected: Heard) -> None:
    connected.answers["GET", _FORWARDS] = _NOTHING
    await _push_unlisted(repository)
    await repository.outcomes()
    connected.answers["GET", _FORWARDS] = _comparison({"filename": "web/index.html"})
    path = f"/projects/shop/hooks/{repository.hook['id']}/deliveries"
    [first] = (await repository.owner.get(path))["items"]
    await repository.owner.post(f"{path}/{first['id']}/replay")
    assert (await repository.outcomes())[0] == ("done", "")
