"""`towline previews` against the real application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Result, Run
from tests.stand_ins import stand_in_platform
from tests.web.serving import Served, serving

Command = Callable[..., Awaitable[Result]]


@pytest.fixture
async def served(tmp_path: Path, postgres_url: str, redis_url: str) -> AsyncIterator[Served]:
    """The application on a port, with the project `shop` and its service `web`."""
    folder = tmp_path / "data"
    async with (
        stand_in_platform(folder, postgres_url=postgres_url, redis_url=redis_url) as platform,
        serving(platform) as served,
    ):
        yield served


@pytest.fixture
async def command(served: Served, run: Run, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs one command as an administrator, beside the server in this process."""
    monkeypatch.setenv("TOWLINE_URL", f"http://127.0.0.1:{served.port}")
    monkeypatch.setenv("TOWLINE_API_KEY", (await served.add_person(is_administrator=True)).token)
    return lambda *arguments: asyncio.to_thread(run, *arguments)


async def test_a_preview_is_made_shown_changed_and_deleted(command: Command) -> None:
    project = ("--project", "shop")
    assert "No preview" in (await command("previews", *project)).out
    made = await command("previews", "create", "try", *project, "--image", "web=app:2", "--days", "2", "--detach")
    assert made.code == 0, made.err
    shown = (await command("previews", "show", "try", *project, "--json")).json
    assert (shown["lifetime_seconds"], shown["main"]) == (172_800, "web")
    assert shown["url"] in (await command("previews", *project)).out
    kept = (await command("previews", "update", "try", *project, "--keep", "--protect", "--json")).json
    assert (kept["expires_at"], kept["is_protected_from_cap"]) == (None, True)
    assert (await command("previews", "extend", "try", *project)).code == 0
    assert (await command("previews", "wake", "try", *project)).code == 0
    again = await command("previews", "deploy", "try", *project, "--image", "web=app:3", "--json")
    assert again.json["group"] != shown["group"]
    assert "of no fork" in (await command("previews", "approve", "try", "0" * 40, *project)).err
    assert (await command("previews", "delete", "try", *project)).code == 2
    assert (await command("previews", "delete", "try", *project, "--yes")).code == 0
    assert "No preview" in (await command("previews", "list", *project)).out


async def test_rules_are_shown_and_set_one_by_one(command: Command) -> None:
    project = ("--project", "shop")
    assert "604800" in (await command("previews", "rules", *project)).out
    given = ("main=web", "cap=3", "pull_requests=true", "branches=a/*,b", "label=")
    options = [part for text in given for part in ("--set", text)]
    rules = (await command("previews", "rules", *project, *options, "--json")).json
    assert (rules["main"], rules["cap"], rules["pull_requests"]) == ("web", 3, True)
    assert (rules["branches"], rules["label"]) == (["a/*", "b"], None)
    for wrong in ("nonsense", "colour=red"):
        assert (await command("previews", "rules", *project, "--set", wrong)).code == 2
    assert (await command("previews", "create", "a", *project, "--image", "web")).code == 2
