"""Hostile text in whatever a page shows: it stays text, is cut or can be unfolded, and no page grows beyond measure."""

from html.parser import HTMLParser
from typing import Final

from sqlalchemy import update
from tests.stand_ins import World
from tests.web.browser import Browser
from tests.web.dashboard.visitors import make_scene
from tests.web.door import Door

from towline.actions.logs import LogWriter
from towline.models.accounts import User
from towline.models.deployments import Deployment, Release
from towline.models.history import HealthCheck
from towline.models.projects import Project
from towline.models.services import Workload

HOSTILE: Final = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}\u202e" + "w" * 10_000
_MOST_CHARACTERS: Final = 150_000
_PAGES: Final = (
    "/",
    "/projects/{project}",
    "/projects/{project}/settings",
    "/projects/{project}/members",
    "/projects/{project}/audit",
    "/projects/{project}/services/{service}",
    "/projects/{project}/services/{service}/deployments",
    "/projects/{project}/services/{service}/deploy",
    "/projects/{project}/services/{service}/log",
    "/projects/{project}/services/{service}/variables",
    "/projects/{project}/services/{service}/domains",
    "/projects/{project}/services/{service}/settings",
    "/deployments/{deployment}",
    "/account/keys",
    "/account/sessions",
)


class Alive(HTMLParser):
    """Collects what a browser would obey: scripts that are not modules of ours, handlers, styles, foreign pictures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        given = dict(attrs)
        source = given.get("src") or ""
        is_own = source.startswith("/_towline/assets/")
        if (tag in {"script", "img"} and not is_own) or any(name == "style" or name[:2] == "on" for name in given):
            self.found.append(f"{tag} {given}"[:200])


async def test_text_of_others_stays_text_on_every_page(door: Door) -> None:
    scene = await make_scene(door)
    await scene.world.deploy_successfully("app:3")
    await _fill(scene.world, deployment_id=scene.values["deployment"])
    owner, wrong = scene.people["owner"], dict[str, str]()
    for path in _PAGES:
        answer = await owner.get(path.format(**scene.values))
        alive = Alive(answer.text).found
        if answer.status_code != 200 or alive or len(answer.text) > _MOST_CHARACTERS:
            wrong[path] = f"{answer.status_code}, {len(answer.text)} characters, {alive}"
    assert wrong == {}
    shown = await owner.get("/deployments/{deployment}".format(**scene.values))
    assert shown.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4
    assert shown.text.count("w" * 10_000) >= 3, "what was cut cannot be read whole"
    assert "{{7*7}}" in shown.text


async def test_hostile_addresses_are_answered_as_text(door: Door) -> None:
    scene = await make_scene(door)
    log = "/projects/{project}/services/{service}/log".format(**scene.values)
    for query in ("query", "level", "since", "before", "tail", "environment", "range", "uptime", "cursor"):
        for path in (log, log.removesuffix("/log")):
            await _check_is_text(scene.people["owner"], f"{path}?{query}=%3Cscript%3Ealert(1)%3C/script%3E%22%27")


async def _check_is_text(browser: Browser, path: str) -> None:
    answer = await browser.get(path)
    assert answer.status_code < 500, path
    assert Alive(answer.text).found == [], path


async def _fill(world: World, *, deployment_id: str) -> None:
    """Hostile text in every column that a page shows and that is not limited to letters and digits."""
    error = {"code": "build-failed", "message": HOSTILE, "hint": HOSTILE[:400]}
    workload = await world.get_workload()
    async with world.platform.database.transaction() as work:
        said = {"commit_message": HOSTILE, "ref": HOSTILE, "image": HOSTILE, "queue_reason": HOSTILE}
        mine = update(Deployment).where(Deployment.id == deployment_id)
        await work.session.execute(mine.values(error=error, commit_sha=HOSTILE[:200], **said))
        await work.session.execute(update(Release).values(commit_message=HOSTILE, run={"start_command": [HOSTILE]}))
        await work.session.execute(update(Project).values(description=HOSTILE))
        await work.session.execute(update(User).values(name=HOSTILE[:200]))
        await work.session.execute(update(Workload).values(health="unhealthy", health_error=HOSTILE))
        await work.session.execute(update(HealthCheck).values(error=HOSTILE))
    for owner_id in (deployment_id, workload.id):
        async with LogWriter(world.platform, owner_id, project_id=world.project.id) as log:
            await log.write(HOSTILE)
