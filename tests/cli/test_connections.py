"""`towline connections`, and the client's calls behind it, against the real application and a platform's API."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Result, Run
from tests.stand_ins import stand_in_platform
from tests.web.heard import Heard, serve_heard
from tests.web.serving import serving

from towline.client import TowlineClient
from towline.contract.connections import BranchQuery, ConnectionCreate, ConnectionQuery, RemotePageQuery
from towline.errors import Conflict, HostRefused, NotFound

Command = Callable[..., Awaitable[Result]]
_URL = "https://github.com/acme/shop.git"
_SHOP = {"full_name": "acme/shop", "clone_url": _URL, "default_branch": "main"}


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    """A server in the place of GitHub's API, which knows one repository with two branches."""
    async with serve_heard() as heard:
        heard.answers["GET", "/user/repos"] = (200, [_SHOP])
        heard.answers["GET", "/repos/acme/shop/branches"] = (200, [{"name": "main"}, {"name": "next"}])
        yield heard


@pytest.fixture
async def client(
    tmp_path: Path, postgres_url: str, redis_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TowlineClient]:
    """The client of an administrator of an application on a port, with the project `shop`; commands use it too."""
    del folder  # whose environment this is set in
    async with (
        stand_in_platform(tmp_path / "data", postgres_url=postgres_url, redis_url=redis_url) as platform,
        serving(platform) as served,
    ):
        url, key = f"http://127.0.0.1:{served.port}", (await served.add_person(is_administrator=True)).token
        monkeypatch.setenv("TOWLINE_URL", url)
        monkeypatch.setenv("TOWLINE_API_KEY", key)
        with TowlineClient(url, key) as client:
            yield client


@pytest.fixture
def command(client: TowlineClient, run: Run, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs one command beside the server in this process; a token comes on standard input."""
    del client

    async def run_command(*arguments: str) -> Result:
        monkeypatch.setattr("sys.stdin", io.StringIO("github_pat_1\n"))
        return await asyncio.to_thread(run, "connections", *arguments)

    return run_command


async def test_a_connection_is_added_tried_out_used_and_removed(command: Command, heard: Heard) -> None:
    project = ("--project", "shop")
    assert "No connection" in (await command("list", *project)).out
    made = await command("add", "github", *project, "--api", heard.url)
    assert (made.code, "It works: 1 repositories" in made.out) == (0, True), made.err
    [listed] = (await command("list", *project, "--json")).json["items"]
    assert "github_pat_1" not in made.out + str(listed)
    assert listed["id"] in (await command("list", *project)).out
    assert _URL in (await command("repositories", listed["id"], *project)).out
    assert "next" in (await command("branches", listed["id"], "acme/shop", *project)).out
    assert (await command("remove", listed["id"])).code == 2
    assert (await command("remove", listed["id"], "--yes")).code == 0
    assert "No connection" in (await command("list", *project)).out


async def test_a_token_that_the_platform_refuses_is_kept_and_said(command: Command, heard: Heard) -> None:
    heard.answers["GET", "/user/repos"] = (401, {"message": "Bad credentials"})
    made = await command("add", "github", "--project", "shop", "--api", heard.url)
    assert made.code == 0
    assert "does not work yet: GitHub (github.com) answered 401: Bad credentials." in made.out


async def test_a_further_page_is_told_of(command: Command, heard: Heard) -> None:
    heard.answers["GET", "/user/repos"] = (200, [_SHOP] * 50)
    made = (await command("add", "github", "--project", "shop", "--api", heard.url, "--json")).out
    assert "github" in made
    [listed] = (await command("list", "--project", "shop", "--json")).json["items"]
    first = await command("repositories", listed["id"], "--project", "shop")
    cursor = first.out.rpartition("--cursor ")[2].strip()
    assert (await command("repositories", listed["id"], "--project", "shop", "--cursor", cursor)).code == 0


async def test_what_cannot_be_added_is_refused(command: Command, tmp_path: Path) -> None:
    missing = str(tmp_path / "none.pem")
    refused = await command("add", "github", "--app", "7", "--key-file", missing)
    assert (refused.code, "cannot be read" in refused.err) == (2, True)
    (tmp_path / "app.pem").write_text("no key")
    assert (await command("add", "github", "--app", "7", "--key-file", str(tmp_path / "app.pem"))).code == 2
    assert (await command("add", "cvs", "--project", "shop")).code == 2
    assert "No connection" in (await command("list")).out


async def test_the_client_keeps_lists_and_deletes(client: TowlineClient, heard: Heard) -> None:
    new = ConnectionCreate.model_validate(
        {"platform": "github", "secret": "t", "project": "shop", "api_url": heard.url}
    )
    made = await asyncio.to_thread(client.connections.create, new)
    with pytest.raises(Conflict):
        await asyncio.to_thread(client.connections.create, new)
    listed = await asyncio.to_thread(client.connections.list, ConnectionQuery(project="shop"))
    assert [one.id for one in listed.items] == [made.id]
    found = await asyncio.to_thread(client.connections.list_repositories, "shop", made.id, RemotePageQuery())
    assert [(one.name, one.url, one.default_branch) for one in found.items] == [("acme/shop", _URL, "main")]
    branches = await asyncio.to_thread(
        client.connections.list_branches, "shop", made.id, BranchQuery(repository="acme/shop")
    )
    assert [one.name for one in branches.items] == ["main", "next"]
    heard.answers["GET", "/user/repos"] = (403, {"message": "Forbidden"})
    with pytest.raises(HostRefused, match="Forbidden"):
        await asyncio.to_thread(client.connections.list_repositories, "shop", made.id)
    await asyncio.to_thread(client.connections.delete, made.id)
    with pytest.raises(NotFound):
        await asyncio.to_thread(client.connections.delete, made.id)
