"""Pull requests and branches through the webhook door: previews made, moved on, approved and removed."""

from typing import Any

import pytest
from sqlalchemy import select
from tests.web.door import Door
from tests.web.heard import Heard
from tests.web.test_webhooks import Repository
from tests.web.test_webhooks import repository as repository_fixture

from towline.actions.deployments.job import load_job
from towline.actions.deployments.request_heads import find_request_ref
from towline.actions.reports.sending import send_due_reports
from towline.actions.reports.texts import code
from towline.models.deployments import Deployment

repository = repository_fixture
_HOSTILE = [
    "a\nb",
    "`$(id)`",
    "../../etc",
    "<script>alert(1)</script>",
    "| x | [y](http://z) @everyone",
    "\u202etxt",
    "x" * 10_000,
]


@pytest.fixture
async def shop(repository: Repository) -> Repository:
    """The repository, with previews for requests and for the branches `try/*`; all services are built from it."""
    await repository.owner.delete("/projects/shop/services/other")
    rules = {"pull_requests": True, "branches": ["try/*"]}
    answer = await repository.owner.call("PUT", "/projects/shop/preview-rules", json=rules)
    assert answer.status_code == 200, answer.text
    return repository


async def _request(shop: Repository, action: str, revision: str, *, is_fork: bool = False, **more: Any) -> None:
    shop.count += 1
    head = {"ref": more.pop("branch", "topic"), "sha": revision, "repo": {"id": 2 if is_fork else 1}}
    request = {"number": 7, "title": "New cart", "head": head, "base": {"ref": "main", "repo": {"id": 1}}, **more}
    content = {"action": action, "pull_request": request, "repository": {"clone_url": "https://github.com/acme/shop"}}
    assert (await shop.send("pull_request", content)).status_code == 202


async def _outcome(shop: Repository) -> tuple[str, str]:
    return (await shop.outcomes())[0]


async def _previews(shop: Repository) -> list[Any]:
    return (await shop.owner.get("/projects/shop/previews"))["items"]


async def _refs(shop: Repository) -> list[str]:
    async with shop.door.platform.database.transaction() as work:
        query = select(Deployment.ref).where(Deployment.ref != "").order_by(Deployment.id)
        return list(await work.session.scalars(query))


async def test_a_request_has_a_preview_until_it_is_closed(shop: Repository) -> None:
    await _request(shop, "opened", "a" * 40)
    assert await _outcome(shop) == ("done", "")
    [preview] = await _previews(shop)
    assert (preview["name"], preview["head_revision"], preview["title"]) == ("pr-7", "a" * 40, "New cart")
    await _request(shop, "synchronize", "b" * 40)
    assert await _outcome(shop) == ("done", "")
    assert set(await _refs(shop)) == {"a" * 40, "b" * 40}
    await _request(shop, "labeled", "b" * 40)
    assert await _outcome(shop) == ("ignored", "Its commit is the same.")
    await _request(shop, "closed", "b" * 40)
    assert await _outcome(shop) == ("done", "The request was closed.")
    await _request(shop, "labeled", "b" * 40, state="closed")
    assert await _outcome(shop) == ("ignored", "There is no preview of it.")
    assert await _previews(shop) == []


async def test_nothing_of_a_fork_runs_until_that_commit_is_approved(shop: Repository) -> None:
    await _request(shop, "opened", "a" * 40, is_fork=True)
    assert await _outcome(shop) == ("done", "The fork's commit awaits an approval.")
    assert await _refs(shop) == []
    path = "/projects/shop/previews/pr-7/approve"
    assert (await shop.owner.call("POST", path, json={"revision": "b" * 40})).status_code == 409
    await shop.owner.post(path, {"revision": "a" * 40})
    assert set(await _refs(shop)) == {"a" * 40}
    await _request(shop, "synchronize", "c" * 40, is_fork=True)
    assert await _outcome(shop) == ("done", "The fork's commit awaits an approval.")
    assert set(await _refs(shop)) == {"a" * 40}


async def test_a_request_s_commit_may_be_fetched_from_the_head_of_the_request(shop: Repository) -> None:
    await shop.push("refs/heads/try/one")
    await _request(shop, "opened", "a" * 40)
    await shop.outcomes()
    platform = shop.door.platform
    async with platform.database.transaction() as work:
        found = (await work.session.scalars(select(Deployment).order_by(Deployment.id))).all()
        refs = {
            (one.ref, await find_request_ref(platform, work, await load_job(work, one.workload_id), one))
            for one in found
        }
    assert {request_ref for ref, request_ref in refs if ref == "a" * 40} == {"refs/pull/7/head"}
    assert {request_ref for ref, request_ref in refs if ref != "a" * 40} == {""}


async def test_a_branch_has_a_preview_until_it_is_deleted(shop: Repository) -> None:
    await shop.push("refs/heads/try/one")
    assert await _outcome(shop) == ("done", "")
    [preview] = await _previews(shop)
    assert (preview["origin"], preview["ref"]) == ("branch", "try/one")
    await shop.push("refs/heads/try/one", deleted=True, after="0" * 40)
    assert await _outcome(shop) == ("done", "The branch was deleted.")
    assert await _previews(shop) == []


async def test_a_branch_that_production_is_deployed_from_stays_so_whatever_branches_have_previews(
    shop: Repository,
) -> None:
    await shop.owner.call("PUT", "/projects/shop/preview-rules", json={"branches": ["*"]})
    await shop.push("refs/heads/main", paths=["docs/a.md"])
    await shop.push("refs/heads/main", paths=["web/a.js"])
    assert [status for status, _ in await shop.outcomes()] == ["done", "done"]
    assert await _previews(shop) == []
    await shop.push("refs/heads/other")
    await shop.outcomes()
    assert [one["ref"] for one in await _previews(shop)] == ["other"]


@pytest.mark.parametrize("revision", ["", "main", "a" * 12])
async def test_a_forks_request_without_a_whole_commit_has_no_preview(shop: Repository, revision: str) -> None:
    await _request(shop, "opened", revision, is_fork=True)
    assert (await _outcome(shop))[0] == "ignored"
    assert await _refs(shop) == []


async def test_a_request_without_a_whole_commit_follows_its_branch(shop: Repository) -> None:
    await _request(shop, "opened", "a" * 12)
    await shop.outcomes()
    await _request(shop, "synchronize", "b" * 12)
    await shop.outcomes()
    [preview] = await _previews(shop)
    assert preview["head_revision"] == "b" * 12
    assert set(await _refs(shop)) == {"refs/heads/topic"}


async def test_a_request_without_a_preview_says_why(repository: Repository) -> None:
    await _request(repository, "opened", "a" * 40)
    assert await _outcome(repository) == ("ignored", "Requests have no previews here.")


async def test_one_comment_is_kept_up_to_date(door: Door, shop: Repository, heard: Heard) -> None:
    root = await door.add_person(is_administrator=True)
    await root.post("/connections", {"platform": "github", "project": "shop", "secret": "x", "api_url": heard.url})
    await _request(shop, "opened", "a" * 40)
    await shop.outcomes()
    await send_due_reports(door.platform)
    paths = {path for _, path, _ in heard.calls}
    assert paths == {"/repos/acme/shop/issues/7/comments", f"/repos/acme/shop/statuses/{'a' * 40}"}
    text = next(body["body"] for _, path, body in heard.calls if "comments" in path)
    assert "`api`" in text
    assert "`web`" in text
    await _request(shop, "closed", "a" * 40)
    await shop.outcomes()
    await send_due_reports(door.platform)
    removed = ("PATCH", "/repos/acme/shop/issues/comments/42", {"body": "The preview was removed.\n"})
    assert removed in heard.calls


@pytest.mark.parametrize("text", _HOSTILE)
async def test_hostile_titles_and_branches_break_nothing(shop: Repository, text: str) -> None:
    await _request(shop, "opened", "a" * 40, title=text, branch=text)
    status, _ = await _outcome(shop)
    assert status == "done"
    [preview] = await _previews(shop)
    assert preview["name"] == "pr-7"


@pytest.mark.parametrize("text", ["", *_HOSTILE])
def test_foreign_text_stays_inside_code(text: str) -> None:
    shown = code(text)
    assert shown.startswith("`")
    assert shown.endswith("`")
    assert not set("`|\n\u202e") & set(shown[1:-1])
    assert len(shown) <= 122
