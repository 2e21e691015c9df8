"""`towline members` and `towline users` against a served platform."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Result, Run
from tests.stand_ins import stand_in_platform
from tests.web.serving import Served, serving

from towline.errors import Conflict, InvalidInput, NotFound

Command = Callable[..., Awaitable[Result]]


@pytest.fixture
async def served(tmp_path: Path, postgres_url: str, redis_url: str) -> AsyncIterator[Served]:
    """A served platform with the project `shop`."""
    async with (
        stand_in_platform(tmp_path / "platform", postgres_url=postgres_url, redis_url=redis_url) as platform,
        serving(platform) as served,
    ):
        yield served


@pytest.fixture
async def towline(run: Run, served: Served, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs one command as the owner of `shop`."""
    monkeypatch.setenv("TOWLINE_URL", f"http://127.0.0.1:{served.port}")
    monkeypatch.setenv("TOWLINE_API_KEY", served.owner.token)

    async def command(*arguments: str) -> Result:
        return await asyncio.to_thread(run, *arguments)

    return command


async def test_members_are_invited_changed_and_removed(towline: Command, served: Served) -> None:
    shop = ("--project", "shop")
    made = await towline("members", "invite", "kim@example.com", "--role", "viewer", *shop)
    assert "/invitation/" in made.out
    assert "not shown again" in made.out
    listed = (await towline("members", "invitations", *shop, "--json")).json["items"]
    assert [row["email"] for row in listed] == ["kim@example.com"]
    again = await towline("members", "invite", "kim@example.com", *shop)
    assert (again.code, "Resend" in again.err) == (Conflict.exit_code, True)
    renewed = (await towline("members", "resend", listed[0]["id"], "--json")).json
    accept = {"token": renewed["link"].rpartition("/")[2], "name": "Kim", "password": "tram orbit velvet cactus"}
    await served.owner.post("/invitations/accept", accept)

    assert "kim@example.com" in (await towline("members", *shop)).out
    assert (await towline("members", "role", "kim@example.com", "admin", *shop, "--json")).json["role"] == "admin"
    assert (await towline("members", "leave", *shop, "--yes")).code == Conflict.exit_code
    assert (await towline("members", "remove", "nobody@example.com", *shop, "--yes")).code == NotFound.exit_code
    assert (await towline("members", "transfer", "kim@example.com", *shop, "--yes")).code == 0
    assert (await towline("members", "leave", *shop, "--yes")).code == 0
    assert (await towline("members", *shop)).code == NotFound.exit_code
    assert (await towline("members", "invite", "no address", *shop)).code == InvalidInput.exit_code


async def test_users_are_managed_by_administrators(
    towline: Command, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = (await served.add_person(is_administrator=True)).token
    monkeypatch.setenv("TOWLINE_API_KEY", root)
    made = (await towline("users", "create", "Lee@Example.com", "--name", "Lee", "--json")).json
    assert (made["email"], "/password-reset/" in made["link"]) == ("lee@example.com", True)
    assert "lee@example.com" in (await towline("users")).out
    assert "/password-reset/" in (await towline("users", "reset-password", "lee@example.com")).out
    for command, field, value in (
        ("administrator", "is_administrator", True),
        ("disable", "is_disabled", True),
        ("enable", "is_disabled", False),
    ):
        yes = ["--yes"] if command == "disable" else []
        assert (await towline("users", command, "lee@example.com", *yes, "--json")).json[field] is value
    assert (await towline("users", "administrator", made["id"], "--remove", "--json")).json["is_administrator"] is False
    assert "/invitation/" in (await towline("users", "invite", "new@example.com", "--administrator")).out
    missing = await towline("users", "reset-password", "nobody@example.com")
    assert (missing.code, "towline users" in missing.err) == (NotFound.exit_code, True)
    told = await towline("users", "test-mail")
    assert (told.code, "TOWLINE_SMTP_URL" in told.err) == (Conflict.exit_code, True)
