"""Pushing to Towline with the real git client: what is let in is live, and what fails is refused."""

import asyncio
import json
import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.web.pushing import Pushing, pushing
from tests.web.serving import wait_until

from towline.actions.platform import Platform
from towline.actions.projects import Environment
from towline.actions.pushes.tidying import remove_unneeded_repositories
from towline.models.deployments import Deployment
from towline.models.history import AuditEntry
from towline.models.projects import Project, ProjectCollaborator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
MAIN = "refs/heads/main"


async def list_deployments(pushed: Pushing) -> list[Deployment]:
    """All of them, oldest first."""
    async with pushed.served.platform.database.transaction() as work:
        return list(await work.session.scalars(select(Deployment).order_by(Deployment.created_at, Deployment.id)))


def has_file(folder: Path, name: str) -> bool:
    """Whether a file of that name is anywhere below."""
    return next(folder.rglob(name), None) is not None


async def test_a_push_shows_the_build_and_ends_once_it_is_live(platform: Platform, tmp_path: Path) -> None:
    async with pushing(platform, tmp_path) as pushed:
        clone = await pushed.clone()
        revision = await clone.commit("Open the shop", Dockerfile="FROM busybox\nCMD serve\n", web__page="hello")
        answer = await clone.push()
        assert answer.exit_code == 0, answer.said
        assert "remote: CMD serve" in answer.said
        assert "is live" in answer.said
        assert "remote:   http" in answer.said
        assert (await clone.list_remote())[MAIN] == revision
        (deployment,) = await list_deployments(pushed)
        facts = (deployment.status, deployment.trigger, deployment.commit_sha, deployment.commit_message)
        assert facts == ("success", "push", revision, "Open the shop")
        assert pushed.builder.trees == [{"Dockerfile": "FROM busybox\nCMD serve\n", "web/page": "hello"}]
        async with platform.database.transaction() as work:
            entry = (await work.session.scalars(select(AuditEntry).where(AuditEntry.action == "git.push"))).one()
        assert entry.detail == {"ref": MAIN, "revision": revision, "deployment": deployment.id}


async def test_a_failing_build_refuses_the_push(platform: Platform, tmp_path: Path) -> None:
    async with pushing(platform, tmp_path) as pushed:
        clone = await pushed.clone()
        first = await clone.commit(Dockerfile="FROM busybox\n")
        assert (await clone.push()).exit_code == 0
        await clone.commit(Dockerfile="FAIL\n")
        answer = await clone.push()
        assert answer.exit_code == 1
        assert "The step FAIL ended with exit code 1." in answer.said
        assert "pre-receive hook declined" in answer.said
        assert (await clone.list_remote())[MAIN] == first
        last = await clone.commit(Dockerfile="FROM busybox:2\n")
        assert (await clone.push()).exit_code == 0
        assert (await clone.list_remote())[MAIN] == last


async def test_what_was_pushed_can_be_cloned_and_deployed_again(platform: Platform, tmp_path: Path) -> None:
    async with pushing(platform, tmp_path, subdirectory="app") as pushed:
        clone = await pushed.clone()
        revision = await clone.commit(app__Dockerfile="FROM busybox\n", readme="none of it")
        assert (await clone.push()).exit_code == 0
        await clone.do("clone", "--quiet", pushed.address(), "again")
        assert (tmp_path / "work" / "again" / "app" / "Dockerfile").read_text() == "FROM busybox\n"
        path = "/projects/shop/services/web/deploy"
        made = await pushed.served.owner.post(path, {"no_cache": True})

        async def is_done() -> bool:
            return (await pushed.served.owner.get(f"/deployments/{made['id']}"))["status"] == "success"

        await wait_until(is_done)
        again = (await list_deployments(pushed))[-1]
        assert (again.commit_sha, again.source_type) == (revision, "push")
        assert pushed.builder.trees == [{"Dockerfile": "FROM busybox\n"}] * 2


async def test_branches_and_tags_go_where_the_rules_say(platform: Platform, tmp_path: Path) -> None:
    rules = [{"branch": "main", "environment": "production"}, {"tag": "v*", "environment": "staging"}]
    async with pushing(platform, tmp_path, rules=rules) as pushed:
        await pushed.served.owner.post("/projects/shop/environments", {"name": "staging", "kind": "staging"})
        clone = await pushed.clone()
        await clone.commit(Dockerfile="FROM busybox\n")
        assert "is kept; it is deployed nowhere" in (await clone.push("main:other")).said
        assert await list_deployments(pushed) == []
        await clone.do("tag", "--annotate", "--message", "One", "v1")
        assert "shop/web in staging" in (await clone.push("v1")).said
        both = await clone.push("main", "main:refs/tags/v2")
        assert both.exit_code == 1
        assert "Push one of them at a time." in both.said
        (deployment,) = await list_deployments(pushed)
        async with platform.database.transaction() as work:
            assert (await work.session.get_one(Environment, deployment.environment_id)).name == "staging"


async def test_forced_pushes_deletions_and_skipped_commits(platform: Platform, tmp_path: Path) -> None:
    async with pushing(platform, tmp_path) as pushed:
        clone = await pushed.clone()
        await clone.commit(Dockerfile="FROM busybox\n")
        assert (await clone.push("main", "main:other")).exit_code == 0
        await clone.do("commit", "--quiet", "--amend", "--message", "Another history")
        assert (await clone.push()).exit_code == 1
        assert (await clone.push("+main")).exit_code == 0
        skipped = await clone.commit("Only words [skip ci]", readme="words")
        assert "nothing is deployed" in (await clone.push()).said
        assert "is deleted" in (await clone.push(":other")).said
        assert (await clone.push(":main")).exit_code == 1
        assert await clone.list_remote() == {"HEAD": skipped, MAIN: skipped}
        assert len(await list_deployments(pushed)) == 2


async def test_a_newer_push_supersedes_the_one_that_is_still_built(platform: Platform, tmp_path: Path) -> None:
    async with pushing(platform, tmp_path) as pushed:
        first, second = await pushed.clone("first"), await pushed.clone("second")
        await first.commit(Dockerfile="HOLD\n")
        wanted = await second.commit(Dockerfile="FROM busybox\n")
        slow = asyncio.create_task(first.push())
        await asyncio.wait_for(pushed.builder.is_holding.wait(), 90)
        newer = await second.push()
        assert newer.exit_code == 0, newer.said
        assert "of an earlier push is superseded" in newer.said
        older = await slow
        assert older.exit_code == 1
        assert "superseded" in older.said
        assert (await second.list_remote())[MAIN] == wanted


async def test_a_push_whose_pusher_went_away_comes_to_its_end(platform: Platform, tmp_path: Path) -> None:
    async with pushing(platform, tmp_path) as pushed:
        clone = await pushed.clone()
        revision = await clone.commit(Dockerfile="HOLD\n")
        process = await asyncio.create_subprocess_exec(
            *("git", "push", "--quiet", "towline", "main"),
            cwd=clone.folder,
            env=clone.environment,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        await asyncio.wait_for(pushed.builder.is_holding.wait(), 90)
        process.kill()
        await process.wait()
        pushed.builder.let_go.set()

        async def is_let_in() -> bool:
            return (await clone.list_remote()).get(MAIN) == revision

        await wait_until(is_let_in)
        assert [one.status for one in await list_deployments(pushed)] == ["success"]


async def test_only_a_key_that_may_deploy_opens_the_door(platform: Platform, tmp_path: Path) -> None:
    async with pushing(platform, tmp_path) as pushed:
        clone = await pushed.clone()
        await clone.commit(Dockerfile="FROM busybox\n")
        stranger = await pushed.served.add_person()
        reader = await pushed.served.add_key(scopes=["view_projects", "view_logs"])
        for token, status in (
            ("twl_" + "0" * 40, "401|Authentication failed"),
            (stranger.token, "404|not found"),
            (reader.token, "403"),
        ):
            answer = await clone.git("push", pushed.address(token), "main")
            assert answer.exit_code == 128
            assert any(part in answer.said for part in status.split("|")), answer.said
        assert await list_deployments(pushed) == []
        assert "HEAD" not in (await clone.git("ls-remote", pushed.address(reader.token))).said


async def test_source_code_is_for_those_who_may_deploy_it_in_both_directions(
    platform: Platform, tmp_path: Path
) -> None:
    expected = {"viewer": 403, "developer": 200, "admin": 200, "owner": 200}
    async with pushing(platform, tmp_path) as pushed:
        served, path = pushed.served, "/git/shop/web.git/info/refs"
        for role, status in expected.items():
            person = await served.add_person()
            async with platform.database.transaction() as work:
                project_id = served.world.project.id
                work.session.add(ProjectCollaborator(project_id=project_id, user_id=person.user_id, role=role))
            for service in ("git-upload-pack", "git-receive-pack"):
                answer = await served.owner.http.get(path, params={"service": service}, auth=("git", person.token))
                assert (role, answer.status_code) == (role, status)
        for name in ("git", "git-upload-archive", ""):
            answer = await served.owner.http.get(path, params={"service": name}, auth=("git", served.owner.token))
            assert answer.status_code == 422
        nameless = await served.owner.http.get(path, params={"service": "git-upload-pack"})
        assert (nameless.status_code, nameless.headers["www-authenticate"].split()[0]) == (401, "Basic")


async def test_a_service_of_another_source_takes_no_pushes(platform: Platform, tmp_path: Path) -> None:
    async with pushing(platform, tmp_path) as pushed:
        await pushed.served.world.change_service(source_type="custom", source_config={"image": "app:1"})
        clone = await pushed.clone()
        await clone.commit(Dockerfile="FROM busybox\n")
        answer = await clone.push()
        assert answer.exit_code == 128
        assert "towline git-remote web --take-pushes" in answer.said


async def test_lfs_is_refused_in_its_own_words(platform: Platform, tmp_path: Path) -> None:
    async with pushing(platform, tmp_path) as pushed:
        answer = await pushed.served.owner.http.post(
            "/git/shop/web.git/info/lfs/objects/batch", json={}, auth=("git", pushed.served.owner.token)
        )
        assert answer.status_code == 501
        assert answer.headers["content-type"] == "application/vnd.git-lfs+json"
        assert "no LFS objects" in json.loads(answer.text)["message"]


async def test_hostile_names_and_titles_are_only_text(platform: Platform, tmp_path: Path) -> None:
    names = (
        "$(touch${IFS}pwned)",
        "`id`",
        "a;b",
        "it's",
        'say"so',
        "<b>&amp;",
        "\u202egnp",
        "日本",
        "a%2e%2e",
        "x" * 200,
    )
    async with pushing(platform, tmp_path) as pushed:
        clone = await pushed.clone()
        title = "$(id) `id` '\" <script>alert(1)</script> \u202egnp \x1b[31m; rm -rf /"
        await clone.commit(title, Dockerfile="FROM busybox\n")
        answer = await clone.push("main", *(f"main:refs/heads/{name}" for name in names))
        assert answer.exit_code == 0, answer.said
        assert "\x1b" not in answer.said
        assert {f"refs/heads/{name}" for name in names} < (await clone.list_remote()).keys()
        (deployment,) = await list_deployments(pushed)
        assert "<script>alert(1)</script>" in deployment.commit_message
        assert all(character.isprintable() for character in deployment.commit_message)
        for name in ("y" * 600, "-x"):
            assert (await clone.push(f"main:refs/heads/{name}")).exit_code != 0
        assert not has_file(tmp_path, "pwned")


async def test_a_repository_stays_within_its_limit_and_goes_with_its_service(
    platform: Platform, tmp_path: Path
) -> None:
    small = replace(platform, settings=platform.settings.model_copy(update={"repository_max_bytes": 200_000}))
    async with pushing(small, tmp_path) as pushed:
        clone = await pushed.clone()
        await clone.commit(Dockerfile="FROM busybox\n", noise=secrets.token_hex(500_000))
        answer = await clone.push()
        assert answer.exit_code == 1
        assert "would have more than 200000 bytes" in answer.said
        await remove_unneeded_repositories(platform)
        assert await platform.repositories.list_names() == [pushed.served.world.service.id]
        await pushed.served.owner.delete("/projects/shop/services/web")
        await remove_unneeded_repositories(platform)
        assert await platform.repositories.list_names() == []


async def test_a_branch_that_previews_are_for_goes_to_its_preview(platform: Platform, tmp_path: Path) -> None:
    async with pushing(platform, tmp_path) as pushed:
        owner, world = pushed.served.owner, pushed.served.world
        async with platform.database.transaction() as work:
            project = await work.session.get_one(Project, world.project.id)
            project.preview_rules = {"branches": ["topic/*"]}
        clone = await pushed.clone()
        await clone.commit(Dockerfile="FROM busybox\n")
        first = await clone.push("main:topic/one")
        assert first.exit_code == 0, first.said
        assert "shop/web in the preview of the branch" in first.said
        assert "is live" in first.said
        (preview,) = (await owner.get("/projects/shop/previews"))["items"]
        assert (preview["origin"], preview["ref"], preview["state"]) == ("branch", "topic/one", "active")
        await clone.commit(Dockerfile="FAIL\n")
        assert (await clone.push("main:topic/one")).exit_code == 1
        moved = await clone.commit(Dockerfile="FROM busybox:2\n")
        assert (await clone.push("main:topic/one")).exit_code == 0
        assert [one["id"] for one in (await owner.get("/projects/shop/previews"))["items"]] == [preview["id"]]
        assert (await list_deployments(pushed))[-1].commit_sha == moved
        assert "and its preview with it" in (await clone.push(":topic/one")).said
        assert (await owner.get("/projects/shop/previews"))["items"] == []
        fewer = await pushed.served.add_key(scopes=["deploy", "view_projects"])
        assert (await clone.git("push", pushed.address(fewer.token), "main:topic/two")).exit_code == 1
