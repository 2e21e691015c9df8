"""A repository with a project file: applied on push when that is allowed, and never by halves."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.web.door import Door, Person, open_door

from towline.actions.hooks.applying import apply_pushed_files
from towline.actions.hooks.working import work_through
from towline.actions.platform import Platform
from towline.errors import SourceUnavailable
from towline.models.base import utc_now
from towline.models.hooks import HookDelivery
from towline.project_files.reading import read_request
from towline.sources.base import FetchRequest, Source
from towline.sources.git.source import GitSource
from towline.sources.platforms.github import GITHUB
from towline.sources.platforms.source import PlatformSource
from towline.values import Bundle, Report

_ADDRESS = "https://github.com/acme/shop.git"
_FILE = """
project: shop
services:
  web:
    build: {context: web, watch: [web/]}
    needs: [api]
    variables: {COLOUR: blue}
  api:
    git: {url: "https://github.com/acme/shop.git", branch: main}
  store:
    image: "store:1"
    variables:
      PASSWORD: {secret: true, generate: true}
"""


@dataclass
class Commits:
    """What a repository holds, by commit, and how it was asked for."""

    platform: Platform
    folder: Path
    trees: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    seen: list[FetchRequest] = field(default_factory=list[FetchRequest])

    async def fetch(self, request: FetchRequest) -> Bundle:
        """The tree of a commit."""
        self.seen.append(request)
        if request.ref not in self.trees:
            raise SourceUnavailable(f"There is no {request.ref}.")
        tree = self.folder / request.ref
        for name, content in self.trees[request.ref].items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(content)
        digest, size = await self.platform.storage.store_tree(tree)
        return Bundle(digest, request.ref, size)

    def sources(self) -> dict[str, Source]:
        """Git and GitHub that hold these commits."""
        commits, scratch = self, self.folder

        class Git(GitSource):
            async def fetch_source(self, request: FetchRequest, report: Report) -> Bundle:
                return await commits.fetch(request)

        class GitHub(PlatformSource):
            async def fetch_source(self, request: FetchRequest, report: Report) -> Bundle:
                return await commits.fetch(request)

        git = Git(self.platform.storage.store_tree, scratch)
        return {**self.platform.sources, "git": git, "github": GitHub(GITHUB, git)}


@dataclass
class Shop:
    """The project `shop`, connected to a repository that pushes."""

    door: Door
    commits: Commits
    owner: Person
    hook: Mapping[str, Any]
    count: int = field(default=0)

    async def push(self, files: Mapping[str, str] | None, *, ref: str = "refs/heads/main", **more: Any) -> str:
        """Push a commit with these files (None: one that cannot be fetched) as GitHub tells of it; its id."""
        self.count += 1
        commit = f"{self.count:040x}"
        if files is not None:
            self.commits.trees[commit] = dict(files)
        told: dict[str, Any] = {"added": [], "removed": [], "modified": more.pop("paths", ["README.md"])}
        body = {
            "ref": ref,
            "before": "1" * 40,
            "after": commit,
            "commits": [told],
            "head_commit": {"message": more.pop("message", "Change")},
            "repository": {"clone_url": _ADDRESS, "default_branch": "main"},
            "sender": {"login": "ann"},
        }
        packed = json.dumps(body).encode()
        signature = hmac.new(str(self.hook["secret"]).encode(), packed, hashlib.sha256).hexdigest()
        headers = {
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": commit,
            "X-Hub-Signature-256": f"sha256={signature}",
            "Content-Type": "application/json",
        }
        path = "/hooks" + str(self.hook["url"]).partition("/hooks")[2]
        assert (await self.door.http.post(path, content=packed, headers=headers)).status_code == 202
        return commit

    async def outcomes(self) -> list[tuple[str, str]]:
        """Status and reason of each delivery once all were worked on, newest first."""
        await work_through(self.door.platform)
        await apply_pushed_files(self.door.platform, read_request)
        found = await self.owner.get(f"/projects/shop/hooks/{self.hook['id']}/deliveries")
        return [(item["status"], item["reason"]) for item in found["items"]]

    async def deployed(self) -> dict[str, str]:
        """The newest wanted ref of each service that was deployed."""
        found = (await self.owner.get("/deployments", project="shop"))["items"]
        return {item["service"]: item["ref"] for item in reversed(found)}


@pytest.fixture
async def shop(platform: Platform, tmp_path: Path) -> AsyncIterator[Shop]:
    """`api` is built from the repository with a token; pushes to production's branch apply its file."""
    commits = Commits(platform, tmp_path / "commits")
    async with open_door(replace(platform, sources=commits.sources())) as door:
        ann = await door.add_person()
        await ann.post("/projects", {"name": "shop"})
        source = {"type": "github", "config": {"repository": "acme/shop", "branch": "main", "subdirectory": "api"}}
        given = {"name": "api", "source": source, "credential": {"password": "t0ken-of-the-repository"}}
        await ann.post("/projects/shop/services", given)
        body = {"source": "github", "repository": _ADDRESS, "project_file": "towline.yaml"}
        yield Shop(door, commits, ann, await ann.post("/projects/shop/hooks", body))


def _file(**changes: str) -> dict[str, str]:
    text = _FILE.replace('git: {url: "https://github.com/acme/shop.git", branch: main}', "source: *own")
    own = "{type: github, config: {repository: acme/shop, branch: main, subdirectory: api}}"
    text = text.replace("*own", own)
    for before, after in changes.items():
        text = text.replace(before, after)
    return {"towline.yaml": text}


async def test_a_push_applies_the_file_and_deploys_all_it_changed_as_one_group(shop: Shop) -> None:
    commit = await shop.push(_file())
    [(status, reason)] = await shop.outcomes()
    assert (status, reason) == ("done", "Applied towline.yaml: 5 changes.")
    assert await shop.deployed() == {"api": commit, "web": commit, "store": "store:1"}
    [group] = (await shop.owner.get("/projects/shop/groups"))["items"]
    assert (group["trigger"], len(group["members"])) == ("push", 3)
    [fetched] = shop.commits.seen
    assert (fetched.config["subdirectory"], fetched.allows_local) == ("", False)
    assert fetched.credential is not None
    assert fetched.credential.password == "t0ken-of-the-repository"
    web = await shop.owner.get("/projects/shop/services/web")
    assert (web["source"]["type"], web["has_credential"]) == ("github", True)
    exported = await shop.owner.get("/projects/shop/file")
    assert exported["secrets"] == ["store.PASSWORD"]
    entries = (await shop.owner.get("/audit", project="shop", action="projectFiles.apply"))["items"]
    assert [(entry["actor_id"], entry["detail"]["revision"]) for entry in entries] == [("hook", commit)]
    assert "t0ken" not in json.dumps(entries)


async def test_the_same_file_again_changes_nothing_and_deploys_what_was_touched(shop: Shop) -> None:
    await shop.push(_file())
    await shop.outcomes()
    second = await shop.push(_file(), paths=["api/main.py"])
    assert (await shop.outcomes())[0] == ("done", "Applied towline.yaml: 0 changes.")
    assert (await shop.deployed())["api"] == second


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"README.md": "x"}, "There is no towline.yaml in 000000000000."),
        ({"towline.yaml": "project: [shop"}, "towline.yaml, line 1"),
        ({"towline.yaml": "project: other"}, "is of the project 'other'"),
        ({"towline.yaml": "project: shop\nbase_domain: evil.example"}, "changes the project itself"),
        (_file(needs="nneeds"), "towline.yaml: services.web.nneeds"),
        (_file(**{"    image: ": "    needs: [web]\n    image: ", "needs: [api]": "needs: [api, store]"}), "circle"),
    ],
)
async def test_a_file_that_cannot_be_applied_says_why_and_nothing_is_done(
    shop: Shop, files: dict[str, str], reason: str
) -> None:
    await shop.push(files)
    [(status, said)] = await shop.outcomes()
    assert status == "failed"
    assert reason in said
    assert await shop.deployed() == {}
    assert [item["name"] for item in (await shop.owner.get("/projects/shop/services"))["items"]] == ["api"]


async def test_a_link_in_the_file_s_place_leads_nowhere_else(shop: Shop, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("project: shop")
    commit = await shop.push({"README.md": "x"})
    tree = shop.commits.folder / commit
    tree.mkdir(parents=True)
    (tree / "towline.yaml").symlink_to(outside)
    [(status, reason)] = await shop.outcomes()
    assert (status, "no towline.yaml" in reason or "link" in reason) == ("failed", True), reason


async def test_only_pushes_to_production_s_branch_apply_it_and_only_where_it_is_allowed(shop: Shop) -> None:
    await shop.push(_file(), ref="refs/heads/topic")
    await shop.push(_file(), message="Fix [skip ci]")
    assert await shop.outcomes() == [
        ("ignored", "The commit asks to be skipped."),
        ("ignored", "No service is deployed from topic."),
    ]
    await shop.owner.patch(f"/projects/shop/hooks/{shop.hook['id']}", {"project_file": None})
    await shop.push(_file())
    assert (await shop.outcomes())[0] == ("done", "")
    assert list(await shop.deployed()) == ["api"]
    assert shop.commits.seen == []


async def test_a_connection_opens_the_repository_and_stays_where_it_is(shop: Shop) -> None:
    await shop.owner.patch("/projects/shop/services/api", {"credential": None})
    body = {"project": "shop", "platform": "github", "secret": "github_pat_" + "x" * 40}
    await shop.owner.post("/connections", body)
    await shop.push(_file())
    assert (await shop.outcomes())[0][0] == "done"
    [fetched] = shop.commits.seen
    assert fetched.credential is not None
    assert fetched.credential.password == body["secret"]
    found = (await shop.owner.get("/projects/shop/services"))["items"]
    assert [item["name"] for item in found if item["has_credential"]] == []


async def _put_off(shop: Shop, time: timedelta) -> None:
    """Have what waits tried again after a time, however slow this machine is."""
    async with shop.door.platform.database.transaction() as work:
        await work.session.execute(update(HookDelivery).values(not_before=utc_now() + time))


async def test_a_push_that_had_to_wait_does_not_take_a_newer_one_back(shop: Shop) -> None:
    await shop.push(None)
    assert [status for status, _ in await shop.outcomes()] == ["queued"]
    await _put_off(shop, timedelta(hours=1))
    await shop.push(_file())
    assert [status for status, _ in await shop.outcomes()] == ["done", "queued"]
    await _put_off(shop, timedelta())
    assert (await shop.outcomes())[1] == ("ignored", "A newer push of this branch was applied already.")


async def test_a_project_without_a_service_yet_begins_with_its_public_repository(shop: Shop) -> None:
    await shop.owner.delete("/projects/shop/services/api")
    await shop.push(_file())
    assert (await shop.outcomes())[0] == ("done", "Applied towline.yaml: 6 changes.")
    [fetched] = shop.commits.seen
    assert (fetched.config["url"], fetched.credential) == (_ADDRESS, None)
