"""Hostile names from the signed webhook through a real fetch to a running preview, its comment and its pages."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.actions.groups.stack import Stack
from tests.e2e.requests_platform import running_platform
from tests.sources.certificates import own_address, write_certificate
from tests.stand_ins import make_world, stand_in_platform
from tests.web.browser import Browser
from tests.web.dashboard.test_hostile import Alive
from tests.web.door import open_door
from tests.web.heard import Heard
from tests.web.hostile import PLAIN, Stranger, hostile_texts
from tests.web.pushing import ObedientBuilder

from towline.actions.access import Caller
from towline.actions.connections.administration import NewConnection, create_connection
from towline.actions.hooks.working import work_through
from towline.actions.platform import Platform
from towline.actions.reports.sending import send_due_reports
from towline.actions.sessions import open_session
from towline.contract.hooks import NewHook
from towline.models.deployments import Deployment
from towline.names import SLUG_PATTERN, check_host
from towline.orchestrators.docker.payloads import container_payload, instance_labels
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator
from towline.routing.memory import MemoryRouter
from towline.values import DeploymentResult, RunSpec

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
_AT_ONCE = 2
_MOST_CHARACTERS = 150_000


class NotingOrchestrator(MemoryOrchestrator):
    """Notes what it is asked to run."""

    def __init__(self) -> None:
        super().__init__()
        self.specs: list[RunSpec] = []

    async def deploy(self, spec: RunSpec, *, count: int) -> DeploymentResult:
        self.specs.append(spec)
        return await super().deploy(spec, count=count)


@dataclass
class Scene:
    """A project with previews for all that a stranger does to its repository."""

    stack: Stack
    stranger: Stranger
    owner: Browser
    orchestrator: NotingOrchestrator
    revisions: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def platform(self) -> Platform:
        """The platform."""
        return self.stack.platform

    async def do(self, texts: Mapping[int, str]) -> None:
        """Open a request and push a branch by each name, and have their previews made."""
        for number, text in texts.items():
            self.revisions[text] = self.stranger.commit(text)
            await self.stranger.open_request(number, text, self.revisions[text])
            await self.stranger.push_branch(text, self.revisions[text])
        await work_through(self.platform)
        await self.stack.work(at_once=4)

    async def get(self, path: str) -> list[dict[str, Any]]:
        """All items of a list of the API."""
        answer = await self.owner.call("GET", path, params={"limit": 200})
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]


@pytest.fixture
async def platform(tmp_path: Path, postgres_url: str, redis_url: str) -> AsyncIterator[Platform]:
    """A platform that waits longer for health than others, since git keeps the machine busy meanwhile."""
    parts = {"postgres_url": postgres_url, "redis_url": redis_url}
    async with stand_in_platform(tmp_path / "data", **parts, health_timeout=timedelta(seconds=60)) as platform:
        orchestrator = NotingOrchestrator()
        async with orchestrator.session():
            yield replace(platform, orchestrator=orchestrator, builder=ObedientBuilder(orchestrator))


@pytest.fixture
async def scene(
    platform: Platform, tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    """The scene, before anything was told."""
    certificate = write_certificate(tmp_path / "certificate.pem")
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    assert isinstance(platform.orchestrator, NotingOrchestrator)
    with running_platform(tmp_path, certificate) as git_platform:
        source = {"url": git_platform.repository_url, "branch": "main"}
        async with open_door(platform) as door:
            world = await make_world(platform, source_type="git", source_config=source)
            person = await door.add_key(world.user.id)
            rules = {"pull_requests": True, "branches": ["*"], "cap": 200}
            assert (await person.call("PUT", "/projects/shop/preview-rules", json=rules)).status_code == 200
            wanted = {"source": "github", "repository": git_platform.repository_url}
            hook = NewHook.model_validate(await person.post("/projects/shop/hooks", wanted))
            root = Caller(world.user.id, is_administrator=True)
            async with platform.database.transaction() as work:
                new = NewConnection("github", "a-token", host=own_address(), api_url=heard.url)
                await create_connection(platform, work, root, project_id=world.project.id, new=new)
                opened = await open_session(
                    platform, work, user_id=world.user.id, method="password", device="", address=""
                )
            owner = Browser(door.app)
            owner.http.cookies.set("towline_session", opened.value)
            stack = Stack(world, {"web": world.service})
            yield Scene(stack, Stranger(door, git_platform, hook), owner, platform.orchestrator)


async def test_hostile_names_reach_a_preview_and_nothing_obeys_them(scene: Scene, heard: Heard, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    texts = dict(enumerate([PLAIN, *hostile_texts(marker)], start=1))
    numbers = list(texts)
    for first in range(0, len(numbers), _AT_ONCE):
        await scene.do({number: texts[number] for number in numbers[first : first + _AT_ONCE]})
    previews = await scene.get("/projects/shop/previews")
    _check_names(scene, previews, count=len(texts))
    await _check_deployed(scene, count=2 * len(texts))
    await _check_comments(scene, heard, texts)
    await _check_pages(scene, previews)
    assert not await asyncio.to_thread(marker.exists)


def _check_names(scene: Scene, previews: Sequence[Mapping[str, Any]], *, count: int) -> None:
    """Each has a name and a host of its own that are valid, whatever it was made of."""
    names = {preview["name"] for preview in previews}
    assert len(names) == len(previews) == 2 * count
    assert all(re.fullmatch(SLUG_PATTERN, name) for name in names)
    router = scene.platform.router
    assert isinstance(router, MemoryRouter)
    hosts = [route.host for routes in router.routes.values() for route in routes if not route.internal_from]
    assert len(set(hosts)) == len(hosts) == 2 * count
    assert all(check_host(host) == host for host in hosts)


async def _check_deployed(scene: Scene, *, count: int) -> None:
    """All of it runs, from exactly the commits that were told; the engine is given plain words alone."""
    async with scene.platform.database.transaction() as work:
        found = (await work.session.scalars(select(Deployment))).all()
    assert [(one.status, one.error) for one in found] == [("success", None)] * count
    assert {one.commit_sha for one in found} == set(scene.revisions.values())
    for spec in scene.orchestrator.specs:
        labels = instance_labels(spec, installation_id="test", instance_id="ins_1")
        payload = container_payload(spec, labels=labels, with_init=True)
        given = [*payload["Env"], *payload["Labels"].values(), payload["Image"], spec.network, *spec.aliases]
        assert all(re.fullmatch(r"[\w.:/=-]*", item, re.ASCII) for item in given), given
    images = {instance.name for instance in await scene.orchestrator.list_instances()}
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) for name in images)


async def _check_comments(scene: Scene, heard: Heard, texts: Mapping[int, str]) -> None:
    """Comments and statuses of all requests are alike but for what stands in them as code."""
    for _ in range(len(texts)):
        await send_due_reports(scene.platform)
    comments = {int(path.split("/")[-2]): body["body"] for _, path, body in heard.calls if path.endswith("/comments")}
    assert comments.keys() == texts.keys()
    shapes = {_shape(text) for text in comments.values()}
    assert shapes == {_shape(comments[1])}
    assert f"`{PLAIN}`" in comments[1]
    for text in comments.values():
        assert all(len(span) <= 122 and span.isprintable() for span in re.findall(r"`[^`\n]*`", text))
    statuses = [body for _, path, body in heard.calls if "/statuses/" in path]
    assert {body["context"] for body in statuses} == {"towline/shop/preview"}
    assert {body["description"] for body in statuses} == {"Deployed to a preview."}


def _shape(comment: str) -> str:
    """A comment without its code, ids, numbers and times."""
    bare = re.sub(r"`[^`\n]*`", "`…`", comment)
    return re.sub(r"\b(grp|dep)_[0-9a-z]+", "ID", re.sub(r"pr-\d+|\d{4}-\d\d-\d\d \d\d:\d\d", "N", bare))


async def _check_pages(scene: Scene, previews: Sequence[Mapping[str, Any]]) -> None:
    """Every page that shows any of it shows it as text, and stays of a size to be read."""
    requests = [preview for preview in previews if preview["origin"] == "pull_request"]
    groups = {preview["group"] for preview in requests}
    deployments = [one for one in await scene.get("/deployments") if one["group"] in groups]
    assert len(deployments) == len(requests)
    hook_id = scene.stranger.hook.id
    paths = {
        "/projects/shop",
        "/projects/shop/previews",
        "/projects/shop/groups",
        "/projects/shop/audit",
        f"/projects/shop/hooks/{hook_id}",
        "/projects/shop/services/web/deployments",
        *(f"/projects/shop/previews/{preview['id']}" for preview in previews),
        *(f"/projects/shop/groups/{group}" for group in groups),
        *(f"/deployments/{deployment['id']}" for deployment in deployments),
    }
    wrong = dict[str, str]()
    for path in sorted(paths):
        answer = await scene.owner.get(path)
        alive = Alive(answer.text).found
        if answer.status_code != 200 or alive or len(answer.text) > _MOST_CHARACTERS:
            wrong[path] = f"{answer.status_code}, {len(answer.text)} characters, {alive}"
    assert wrong == {}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in (await scene.owner.get("/projects/shop/previews?limit=200")).text
