"""`towline audit`, `keys`, `secrets` and `webhooks` against the real application."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.cli.conftest import Result, Run
from tests.stand_ins import stand_in_platform
from tests.web.serving import Served, serving, wait_until

from towline.actions.audit_chain import chain_all
from towline.actions.resealing import Resealing
from towline.infra.secrets import load_secret_box

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


async def test_the_log_is_listed_exported_and_verified(served: Served, command: Command) -> None:
    key = (await command("keys", "create", "ci", "--from", "203.0.113.0/24", "--json")).json
    assert key["addresses"] == ["203.0.113.0/24"]
    assert key["id"] in (await command("keys", "list", "--all")).out
    assert (await command("keys", "delete", key["id"], "--yes")).code == 0
    listed = (await command("audit", "list", "--action", "keys", "--since", "1h")).out
    assert listed.index("keys.delete") < listed.index("keys.create")
    lines = (await command("audit", "export")).out.splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["keys.create", "keys.delete"]
    await chain_all(served.platform)
    kept = (await command("audit", "head", "--json")).json
    known = f"{kept['sequence']}:{kept['hash']}"
    assert "intact" in (await command("audit", "verify", known)).out
    async with served.platform.database.transaction() as work:
        await work.session.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER keep_audit_entries"))
        await work.session.execute(text("UPDATE audit_entries SET address = '' WHERE sequence = 2"))
        await work.session.execute(text("ALTER TABLE audit_entries ENABLE TRIGGER keep_audit_entries"))
    broken = await command("audit", "verify")
    assert (broken.code, "broken at entry 2" in broken.out) == (12, True)
    assert (await command("audit", "verify", "nonsense")).code == 2
    assert (await command("audit", "list", "--since", "yesterday")).code == 2


async def test_a_rotation_is_shown_until_its_end(served: Served, command: Command) -> None:
    made = (await command("webhooks", "rotate", "shop/web", "--json")).json
    before = (await command("secrets", "status", "--json")).json
    rotating = asyncio.ensure_future(command("secrets", "rotate", "--yes"))
    box = load_secret_box(served.platform.settings.key_file)

    async def has_begun() -> bool:
        return len(box.list_keys()) == 2

    await wait_until(has_begun)
    await Resealing(served.platform, grace=timedelta()).run()
    result = await rotating
    assert result.code == 0, result.err
    assert "Every secret is sealed with the new key" in result.out
    after = (await command("secrets", "status", "--json")).json
    assert before["keys"][0]["id"] not in {key["id"] for key in after["keys"]}
    assert made["id"] in (await command("webhooks", "list", "shop/web")).out
    deleting = ("webhooks", "delete", made["id"], "--project", "shop", "--service", "web", "--yes")
    assert (await command(*deleting)).code == 0
    assert "No webhook secret" in (await command("webhooks", "list", "shop/web")).out
