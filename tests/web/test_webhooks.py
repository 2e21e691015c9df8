"""Webhooks through the HTTP door: verified, kept once, worked through, replayed."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import func, select, update
from tests.web.door import Door, Person

from towline.actions.hooks.working import work_through
from towline.models.hooks import Hook, HookDelivery
from towline.sources.signatures import sign_webhook

_REPOSITORY = "https://github.com/acme/shop.git"


class Repository:
    """A connected repository that sends webhooks."""

    def __init__(self, door: Door, owner: Person, hook: Mapping[str, Any]) -> None:
        self.door = door
        self.owner = owner
        self.hook = hook
        self.path = "/hooks" + str(hook["url"]).partition("/hooks")[2]
        self.count = 0

    async def push(self, ref: str = "refs/heads/main", *, delivery: str = "", secret: str = "", **more: Any) -> Any:
        """Send a push as GitHub does."""
        self.count += 1
        commit: dict[str, Any] = {"added": [], "removed": [], "modified": more.pop("paths", ["README.md"])}
        content: dict[str, Any] = {
            "ref": ref,
            "before": "1" * 40,
            "after": f"{self.count:040x}",
            "commits": [commit],
            "head_commit": {"message": more.pop("message", "Change")},
            "repository": {"clone_url": _REPOSITORY, "default_branch": "main"},
            "sender": {"login": "ann"},
            **more,
        }
        return await self.send("push", content, delivery=delivery, secret=secret)

    async def send(self, event: str, content: object, *, delivery: str = "", secret: str = "") -> Any:
        """Send any event, signed."""
        body = json.dumps(content).encode()
        key = (secret or self.hook["secret"]).encode()
        headers = {
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery or f"delivery-{self.count}-{time.monotonic_ns()}",
            "X-Hub-Signature-256": "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest(),
            "Content-Type": "application/json",
        }
        return await self.door.http.post(self.path, content=body, headers=headers)

    async def outcomes(self) -> list[tuple[str, str]]:
        """Status and reason of each delivery once all are worked through, newest first."""
        await work_through(self.door.platform)
        found = await self.owner.get(f"/projects/shop/hooks/{self.hook['id']}/deliveries")
        return [(item["status"], item["reason"]) for item in found["items"]]


@pytest.fixture
async def repository(door: Door) -> Repository:
    """A repository that `web` and `api` are built from, and `other` is not."""
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    for name, build in (("web", {"watch_paths": ["web/"]}), ("api", {})):
        source = {"type": "git", "config": {"url": _REPOSITORY, "branch": "main"}}
        await ann.post("/projects/shop/services", {"name": name, "source": source, **build})
    await ann.post("/projects/shop/services", {"name": "other"})
    hook = await ann.post("/projects/shop/hooks", {"source": "github", "repository": _REPOSITORY})
    return Repository(door, ann, hook)


async def _deployed(repository: Repository) -> list[tuple[str, str, str]]:
    found = (await repository.owner.get("/deployments", project="shop"))["items"]
    return sorted((item["service"], item["trigger"], item["environment"]) for item in found)


async def test_a_push_deploys_every_service_of_the_repository_as_one_group(repository: Repository) -> None:
    assert (await repository.push(paths=["web/index.html"])).status_code == 202
    assert await repository.outcomes() == [("done", "")]
    assert await _deployed(repository) == [("api", "push", "production"), ("web", "push", "production")]
    [item] = (await repository.owner.get(f"/projects/shop/hooks/{repository.hook['id']}/deliveries"))["items"]
    assert item["group"] is not None
    assert len(item["deployments"]) == 2


async def test_only_services_whose_watched_paths_changed_are_deployed(repository: Repository) -> None:
    await repository.push(paths=["api/main.py"])
    await repository.outcomes()
    assert await _deployed(repository) == [("api", "push", "production")]


async def test_a_delivery_that_nobody_expected_holds_up_no_other(repository: Repository) -> None:
    await repository.push()
    async with repository.door.platform.database.transaction() as work:
        await work.session.execute(update(HookDelivery).values(event={"nonsense": 1}))
    await repository.push()
    assert await repository.outcomes() == [("done", ""), ("failed", "Towline itself failed: KeyError.")]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"ref": "refs/heads/topic"}, "No service is deployed from topic."),
        ({"ref": "refs/tags/v1"}, "No service is deployed from v1."),
        ({"message": "Fix [skip ci]"}, "The commit asks to be skipped."),
        ({"deleted": True, "after": "0" * 40}, "main was deleted."),
    ],
)
async def test_what_deploys_nothing_says_why(repository: Repository, more: dict[str, Any], reason: str) -> None:
    await repository.push(**more)
    assert await repository.outcomes() == [("ignored", reason)]
    assert await _deployed(repository) == []


async def test_a_delivery_that_comes_twice_is_done_once_and_can_be_replayed(repository: Repository) -> None:
    first = await repository.push(delivery="same")
    second = await repository.push(delivery="same")
    assert second.json() == {"delivery": first.json()["delivery"], "is_new": False}
    assert len(await repository.outcomes()) == 1
    path = f"/projects/shop/hooks/{repository.hook['id']}/deliveries/{first.json()['delivery']}/replay"
    again = await repository.owner.post(path)
    assert again["replay_of"] == first.json()["delivery"]
    assert [status for status, _ in await repository.outcomes()] == ["done", "done"]


async def test_rules_send_branches_and_tags_to_environments(repository: Repository) -> None:
    await repository.owner.post("/projects/shop/environments", {"name": "staging"})
    rules = [{"tag": "v*", "environment": "production"}, {"branch": "release/*", "environment": "staging"}]
    await repository.owner.patch(f"/projects/shop/hooks/{repository.hook['id']}", {"rules": rules})
    for ref in ("refs/heads/release/1", "refs/tags/v1.0", "refs/heads/main"):
        await repository.push(ref, paths=["web/x"])
    assert [status for status, _ in await repository.outcomes()] == ["ignored", "done", "done"]
    assert {environment for _, _, environment in await _deployed(repository)} == {"production", "staging"}


async def test_a_wrong_signature_is_refused_and_nothing_is_kept(repository: Repository) -> None:
    for secret in ("wrong", "x"):
        assert (await repository.push(secret=secret)).status_code == 401
    plain = await repository.door.http.post(repository.path, content=b"{}", headers={"X-GitHub-Event": "push"})
    assert plain.status_code == 401
    assert await repository.outcomes() == []
    assert (await repository.door.http.post("/hooks/github/hok_nobody", content=b"{}")).status_code == 404
    other = repository.path.replace("/github/", "/gitlab/")
    assert (await repository.door.http.post(other, content=b"{}")).status_code == 404


async def test_a_replaced_secret_stays_valid_for_a_day(repository: Repository) -> None:
    new = await repository.owner.post(f"/projects/shop/hooks/{repository.hook['id']}/rotate")
    assert (await repository.push(secret=new["secret"])).status_code == 202
    assert (await repository.push()).status_code == 202
    await repository.owner.post(f"/projects/shop/hooks/{repository.hook['id']}/rotate")
    assert (await repository.push()).status_code == 401


async def test_what_is_too_large_or_no_json_is_refused(repository: Repository) -> None:
    assert (await repository.door.http.post(repository.path, content=b"x" * (5 * 1024 * 1024 + 1))).status_code == 413
    assert (await repository.send("push", [1, 2])).status_code == 422


async def test_towlines_own_signed_form_deploys_what_is_configured(door: Door, repository: Repository) -> None:
    await repository.owner.post("/projects", {"name": "own"})
    source = {"type": "git", "config": {"url": "https://git.example.com/x.git"}}
    await repository.owner.post("/projects/own/services", {"name": "x", "source": source})
    body = {"source": "git", "repository": "ssh://git@git.example.com/x"}
    hook = await repository.owner.post("/projects/own/hooks", body)
    now = int(time.time())
    headers = {"X-Towline-Timestamp": str(now), "X-Towline-Signature": sign_webhook(b"", hook["secret"], timestamp=now)}
    answer = await door.http.post("/hooks" + hook["url"].partition("/hooks")[2], content=b"", headers=headers)
    assert answer.status_code == 202
    await work_through(door.platform)
    found = (await repository.owner.get("/deployments", project="own"))["items"]
    assert [item["service"] for item in found] == ["x"]


_HOSTILE = (
    "$(touch pwned)",
    "`id`",
    "--upload-pack=touch pwned",
    "-x",
    "../../../etc/passwd",
    "a\nb",
    "a'b\"c;d|e&f",
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "{{ host }}",
    "\x00nul",
    "\ud800",
    "x" * 10_000,
)


async def test_hostile_refs_titles_and_paths_are_only_text(repository: Repository) -> None:
    await repository.owner.patch(
        f"/projects/shop/hooks/{repository.hook['id']}", {"rules": [{"branch": "*", "environment": "production"}]}
    )
    taken = 0
    for text in _HOSTILE:
        pushes = (repository.push(f"refs/heads/{text}"), repository.push(message=text, paths=[text]))
        for push in pushes:
            answer = await push
            assert answer.status_code in {202, 400, 422}, (text[:20], answer.text)
            taken += answer.status_code == 202
    outcomes = await repository.outcomes()
    assert taken == len(outcomes)
    assert {status for status, _ in outcomes} <= {"done", "ignored", "failed"}
    assert all(len(reason) < 1000 for _, reason in outcomes)
    refs = {item["ref"] for item in (await repository.owner.get("/deployments", project="shop"))["items"]}
    assert not refs & {f"refs/heads/{text}" for text in _HOSTILE}


async def test_a_deleted_projects_hook_takes_nothing_and_keeps_nothing(repository: Repository) -> None:
    await repository.push()
    await repository.owner.delete("/projects/shop")
    assert (await repository.push()).status_code == 404
    async with repository.door.platform.database.transaction() as work:
        for model in (Hook, HookDelivery):
            assert await work.session.scalar(select(func.count()).select_from(model)) == 0
