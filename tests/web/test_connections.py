"""Connections to git platforms through the HTTP door, and what the platforms are told."""

import socket
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import func, select, update
from tests.web.door import Door, Person
from tests.web.heard import Heard
from tests.web.test_webhooks import Repository

from towline.actions.reports.sending import send_due_reports
from towline.models.base import utc_now
from towline.models.connections import Connection, HostReport
from towline.models.deployments import Deployment

_REPOSITORY = "https://github.com/acme/shop.git"


@pytest.fixture
async def root(door: Door) -> Person:
    """An administrator with the project `shop`, whose service `web` is built from the repository."""
    person = await door.add_person(is_administrator=True)
    await person.post("/projects", {"name": "shop"})
    source = {"type": "git", "config": {"url": _REPOSITORY, "branch": "main"}}
    await person.post("/projects/shop/services", {"name": "web", "source": source})
    return person


async def _connect(root: Person, heard: Heard, **more: Any) -> Any:
    body = {"platform": "github", "project": "shop", "secret": "github_pat_1", "api_url": heard.url, **more}
    return await root.post("/connections", body)


async def _send(door: Door) -> None:
    """Send what is to be told now, however long it was put off."""
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(HostReport).values(look_at=utc_now()))
    await send_due_reports(door.platform)


async def _hook_of(root: Person) -> Any:
    [hook] = (await root.get("/projects/shop/hooks"))["items"]
    return hook


async def test_a_secret_is_never_given_back(root: Person, heard: Heard) -> None:
    made = await _connect(root, heard, owner="Acme")
    [listed] = (await root.get("/connections", project="shop"))["items"]
    assert listed == made
    assert made["owner"] == "acme"
    assert "github_pat" not in str(made)
    again = {"platform": "github", "project": "shop", "secret": "x", "owner": "acme"}
    assert (await root.call("POST", "/connections", json=again)).status_code == 409
    await root.delete(f"/connections/{made['id']}")
    assert (await root.get("/connections", project="shop"))["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"platform": "gitea", "secret": "x"},
        {"platform": "gitlab", "secret": "x", "app_id": "1"},
        {"platform": "github", "secret": "no key", "app_id": "1"},
        {"platform": "github", "secret": "two words"},
        {"platform": "github", "secret": "x", "api_url": "http://api.example.com"},
        {"platform": "github", "secret": "x", "owner": "../x"},
    ],
)
async def test_what_cannot_be_a_connection_is_refused(root: Person, body: dict[str, Any]) -> None:
    assert (await root.call("POST", "/connections", json={"project": "shop", **body})).status_code == 422


async def test_repositories_and_branches_are_listed_page_by_page(root: Person, heard: Heard) -> None:
    made = await _connect(root, heard)
    one = {"full_name": "acme/shop", "clone_url": _REPOSITORY, "default_branch": "main"}
    heard.answers["GET", "/user/repos"] = (200, [one] * 50)
    heard.answers["GET", "/repos/acme/shop/branches"] = (200, [{"name": "main"}])
    path = f"/projects/shop/connections/{made['id']}"
    page = await root.get(f"{path}/repositories")
    assert page["items"][0] == {"name": "acme/shop", "url": _REPOSITORY, "default_branch": "main"}
    await root.get(f"{path}/repositories", cursor=page["next_cursor"])
    assert await root.get(f"{path}/branches", repository="acme/shop") == {
        "items": [{"name": "main"}],
        "next_cursor": None,
    }
    assert heard.headers[0] == "Bearer github_pat_1"


async def test_only_administrators_connections_lead_to_this_machine(door: Door, root: Person, heard: Heard) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "own"})
    made = await ann.post("/connections", {"platform": "github", "project": "own", "secret": "x", "api_url": heard.url})
    answer = await ann.call("GET", f"/projects/own/connections/{made['id']}/repositories")
    assert answer.status_code == 422
    assert heard.calls == []
    assert (await ann.call("GET", f"/projects/own/connections/{made['id']}x/repositories")).status_code == 404


async def test_a_name_is_not_looked_up_again_where_it_led_nowhere(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner could let it lead to this machine by then."""
    look_up, seen = socket.getaddrinfo, list[str]()

    def look_up_late(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != "git.example.com":
            return look_up(host, *arguments, **options)
        seen.append(host)
        if len(seen) == 1:
            raise socket.gaierror(socket.EAI_AGAIN, "not now")
        return look_up("127.0.0.1", *arguments, **options)

    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", look_up_late)
    ann = await door.add_person()
    await ann.post("/projects", {"name": "own"})
    body = {"platform": "gitea", "project": "own", "secret": "x", "host": "git.example.com"}
    made = await ann.post("/connections", body)
    answer = await ann.call("GET", f"/projects/own/connections/{made['id']}/repositories")
    assert answer.status_code >= 500
    assert seen == ["git.example.com"]


async def test_a_deleted_project_keeps_no_credential(door: Door, root: Person, heard: Heard) -> None:
    await _connect(root, heard)
    await root.delete("/projects/shop")
    async with door.platform.database.transaction() as work:
        assert await work.session.scalar(select(func.count()).select_from(Connection)) == 0


async def test_a_refusal_says_what_the_platform_said(root: Person, heard: Heard) -> None:
    made = await _connect(root, heard)
    heard.answers["GET", "/user/repos"] = (401, {"message": "Bad credentials"})
    answer = await root.call("GET", f"/projects/shop/connections/{made['id']}/repositories")
    assert answer.status_code == 502
    assert "GitHub (github.com) answered 401: Bad credentials." in answer.text


async def test_an_app_gets_a_token_for_each_purpose(root: Person, heard: Heard) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    made = await _connect(root, heard, app_id="7", secret=pem.decode())
    heard.answers["GET", "/repos/acme/shop/installation"] = (200, {"id": 5})
    heard.answers["POST", "/app/installations/5/access_tokens"] = (201, {"token": "ghs_short"})
    heard.answers["GET", "/repos/acme/shop/branches"] = (200, [])
    await root.get(f"/projects/shop/connections/{made['id']}/branches", repository="acme/shop")
    wanted = {"permissions": {"contents": "read"}, "repositories": ["shop"]}
    assert heard.calls[1] == ("POST", "/app/installations/5/access_tokens", wanted)
    assert heard.headers[2] == "Bearer ghs_short"
    assert pem.decode() not in str(heard.headers)


async def test_a_webhook_is_made_there_brought_up_to_date_and_deleted(door: Door, root: Person, heard: Heard) -> None:
    await _connect(root, heard)
    made = await root.post("/projects/shop/hooks", {"source": "github", "repository": _REPOSITORY})
    assert made["registration"] == "pending"
    await _send(door)
    assert (await _hook_of(root))["registration"] == "registered"
    method, path, body = heard.calls[0]
    assert (method, path) == ("POST", "/repos/acme/shop/hooks")
    assert body["config"]["url"] == made["url"]
    assert body["config"]["secret"] == made["secret"]
    new = await root.post(f"/projects/shop/hooks/{made['id']}/rotate")
    await _send(door)
    method, path, body = heard.calls[1]
    assert (method, path, body["config"]["secret"]) == ("PATCH", "/repos/acme/shop/hooks/42", new["secret"])
    await root.delete(f"/projects/shop/hooks/{made['id']}")
    await _send(door)
    assert heard.calls[2:] == [("DELETE", "/repos/acme/shop/hooks/42", None)]


async def test_a_refused_webhook_is_shown_and_one_without_connection_is_by_hand(
    door: Door, root: Person, heard: Heard
) -> None:
    await _connect(root, heard, owner="acme")
    heard.answers["POST", "/repos/acme/shop/hooks"] = (403, {"message": "Resource not accessible"})
    await root.post("/projects/shop/hooks", {"source": "github", "repository": _REPOSITORY})
    await _send(door)
    hook = await _hook_of(root)
    assert hook["registration"] == "failed"
    assert "Resource not accessible" in hook["registration_error"]
    other = {"source": "github", "repository": "https://github.com/others/x"}
    assert (await root.post("/projects/shop/hooks", other))["registration"] == "by_hand"


async def test_a_status_that_was_refused_is_shown_until_one_is_taken(door: Door, root: Person, heard: Heard) -> None:
    await _connect(root, heard)
    hook = await root.post("/projects/shop/hooks", {"source": "github", "repository": _REPOSITORY, "registers": False})
    repository = Repository(door, root, hook)
    for revision, status in (("a" * 40, 403), ("b" * 40, 201)):
        heard.answers["POST", f"/repos/acme/shop/statuses/{revision}"] = (status, {"message": "No <b>right</b> to"})
        await repository.push(after=revision)
        await repository.outcomes()
        await _send(door)
        problem = (await _hook_of(root))["report_problem"]
        assert problem == ("GitHub (github.com) answered 403: No <b>right</b> to." if status == 403 else "")


async def test_a_commit_s_status_follows_its_deployment_whatever_the_platform_does(
    door: Door, root: Person, heard: Heard
) -> None:
    await _connect(root, heard)
    hook = await root.post("/projects/shop/hooks", {"source": "github", "repository": _REPOSITORY, "registers": False})
    repository = Repository(door, root, hook)
    await repository.push(after="a" * 40)
    assert await repository.outcomes() == [("done", "")]
    path = f"/repos/acme/shop/statuses/{'a' * 40}"
    heard.answers["POST", path] = (500, {})
    await _send(door)
    heard.answers["POST", path] = (201, {"id": 1})
    await _send(door)
    await _send(door)
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(Deployment).values(status="success"))
    await _send(door)
    await _send(door)
    told = [(body["state"], body["context"]) for method, _, body in heard.calls if method == "POST"]
    context = "towline/shop/production"
    assert told == [("pending", context), ("pending", context), ("success", context)]
