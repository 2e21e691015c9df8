"""Pages of a project and the instance beyond services: what their forms do, and what is shown once."""

import re

from sqlalchemy import delete, select, update
from tests.web.dashboard.visitors import make_scene
from tests.web.door import Door

from towline.models.base import utc_now
from towline.models.connections import HostReport
from towline.models.deployments import Deployment
from towline.models.groups import Group
from towline.models.hooks import Hook
from towline.names import new_id

_FILE = "project: other\nservices:\n  store:\n    image: store:1\n"


async def test_a_repository_is_connected_and_its_secret_shown_once(door: Door) -> None:
    scene = await make_scene(door)
    owner, path = scene.people["owner"], "/projects/{project}/hooks".format(**scene.values)
    wanted = {"source": "gitlab", "repository": "https://gitlab.com/a/c.git", "rules": "main staging\ntag:v*"}
    made = await owner.send(path, wanted)
    assert (made.status_code, "shown this once" in made.text) == (200, True)
    page = await owner.get(path)
    assert "main staging" in page.text
    assert "tag:v* production" in page.text
    assert "shown this once" not in page.text
    refused = await owner.send(path, {**wanted, "rules": "a b c"})
    assert (refused.status_code, "is no rule" in refused.text) == (422, True)


async def test_a_page_says_why_the_platform_was_not_told(door: Door) -> None:
    scene = await make_scene(door)
    owner, path = scene.people["owner"], "/projects/{project}/hooks".format(**scene.values)
    await owner.send(path, {"source": "gitlab", "repository": "https://gitlab.com/a/c.git", "rules": ""})
    async with door.platform.database.transaction() as work:
        hook = (await work.session.scalars(select(Hook).where(Hook.repository == "gitlab.com/a/c"))).one()
        report = HostReport(id=new_id("rpt"), created_at=utc_now(), project_id=hook.project_id, platform="gitlab")
        report.repository, report.kind, report.target = hook.repository, "comment", "7"
        report.state, report.error = "failed", "GitLab answered 403: <i>no</i>."
        work.session.add(report)
    assert "refuses to be told" in (await owner.get(path)).text
    assert "GitLab answered 403: &lt;i&gt;no&lt;/i&gt;." in (await owner.get(f"{path}/{hook.id}")).text


async def test_a_pasted_file_is_planned_for_this_project_and_done_exactly_so(door: Door) -> None:
    scene = await make_scene(door)
    owner, path = scene.people["owner"], "/projects/{project}/file".format(**scene.values)
    planned = await owner.send(path, {"file": _FILE})
    assert "creates" in planned.text
    assert "service <bdi>store" in planned.text
    found = re.search(r'name="fingerprint" value="([^"]+)"', planned.text)
    assert found is not None
    refused = await owner.send(f"{path}/apply", {"file": _FILE, "fingerprint": "other"})
    assert refused.status_code == 409
    done = await owner.send(f"{path}/apply", {"file": _FILE, "fingerprint": found[1]})
    assert done.status_code == 303
    assert "/groups/" in done.headers["location"]
    broken = await owner.send(path, {"file": "services: [1"})
    assert (broken.status_code, 'role="alert"' in broken.text) == (422, True)


async def test_lines_of_a_file_become_variables_and_come_back(door: Door) -> None:
    scene = await make_scene(door)
    owner, path = scene.people["owner"], "/projects/{project}/services/{service}/variables/file".format(**scene.values)
    assert (await owner.send(path, {"lines": "# first\nLEVEL=info\nexport TEXT='a b'"})).status_code == 303
    assert (await owner.send(path, {"lines": "TOKEN=hidden-value", "is_secret": "on"})).status_code == 303
    page = (await owner.get(path)).text
    assert "LEVEL=info" in page
    assert "TOKEN" in page
    assert "hidden-value" not in page
    assert (await owner.send(path, {"lines": "no line"})).status_code == 422


async def test_a_template_becomes_services_deployed_together(door: Door) -> None:
    scene = await make_scene(door)
    owner, path = scene.people["owner"], "/projects/{project}/catalogue".format(**scene.values)
    assert "PostgreSQL" in (await owner.get(path)).text
    made = await owner.send(f"{path}/postgresql", {"name": "db"})
    assert (made.status_code, "/groups/" in made.headers["location"]) == (303, True)
    assert "/services/db" in (await owner.get("/projects/{project}".format(**scene.values))).text


async def test_a_channel_is_made_tried_and_its_outcome_shown(door: Door) -> None:
    scene = await make_scene(door)
    owner, path = scene.people["owner"], "/projects/{project}/notifications".format(**scene.values)
    wanted = {"name": "own", "kind": "webhook", "address": "https://a.example.com/x", "event.run.failed": "on"}
    made = await owner.send(path, {**wanted, "environment.production": "on"})
    assert "signed with this secret" in made.text
    found = re.search(rf'href="({path}/nch_[a-z0-9]+)"', made.text)
    assert found is not None
    assert (await owner.send(f"{found[1]}/test", {"sent": "yes"})).status_code == 303
    page = (await owner.get(found[1])).text
    assert "Test message from Towline" in page
    assert "Waiting" in page


async def test_no_page_of_a_project_is_without_a_way_on_and_viewers_are_offered_nothing(door: Door) -> None:
    scene = await make_scene(door)
    project, service = "/projects/{project}", "/projects/{project}/services/{service}"
    paths = [
        f"{project}/{tab}"
        for tab in ("groups", "backups", "variables", "catalogue", "file", "backups/{backup}", "previews")
    ]
    paths += [f"{service}/{tab}" for tab in ("releases", "runs", "runs/{run}", "variables/compare", "webhook-secrets")]
    for path in paths:
        main = (await scene.people["viewer"].get(path.format(**scene.values))).text.partition("<main")[2]
        assert "<form" not in main, path
        assert re.search("<button(?![^>]* data-copy=)", main) is None, path
        assert "<nav" in main, path


async def test_the_instance_says_how_it_is(door: Door) -> None:
    scene = await make_scene(door)
    page = (await scene.people["root"].get("/instance")).text
    for part in ("PostgreSQL", "Valkey", "Docker", "Traefik", "Periodic work"):
        assert part in page
    assert "free of" in page
    assert scene.world.service.name in page.partition("queue-part")[2]


async def test_without_a_mail_server_nothing_can_be_sent_and_what_to_set_is_told(door: Door) -> None:
    scene = await make_scene(door)
    main = (await scene.people["root"].get("/instance/mail")).text.partition("<main")[2]
    assert "TOWLINE_SMTP_URL" in main
    assert "/instance/mail/test" not in main


async def test_a_cron_service_is_made_with_its_schedule(door: Door) -> None:
    scene = await make_scene(door)
    owner, project = scene.people["owner"], "/projects/{project}".format(**scene.values)
    wanted = {"service": "nightly", "source": "upload", "type": "cron", "schedule": "30 2 * * *"}
    made = await owner.send(f"{project}/new", wanted)
    assert (made.status_code, made.headers["location"]) == (303, f"{project}/services/nightly/deploy")
    assert 'value="30 2 * * *"' in (await owner.get(f"{project}/services/nightly/settings")).text
    refused = await owner.send(f"{project}/new", {**wanted, "service": "hourly", "schedule": ""})
    assert (refused.status_code, "schedule" in refused.text) == (422, True)


async def test_a_group_offers_its_releases_once_others_serve(door: Door) -> None:
    scene = await make_scene(door)
    owner, path = scene.people["owner"], "/projects/{project}/groups/{group}".format(**scene.values)
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(Group).values(status="success"))
        await work.session.execute(delete(Deployment).where(Deployment.group_id == scene.values["group"]))
        mine = Deployment.id == scene.values["deployment"]
        await work.session.execute(update(Deployment).where(mine).values(group_id=scene.values["group"]))
    page = (await owner.get(path)).text
    assert ("These releases serve now" in page, "Roll back to these releases" in page) == (True, False)
    await scene.world.deploy_successfully("app:2")
    page = (await owner.get(path)).text
    assert ("These releases serve now" in page, "Roll back to these releases" in page) == (False, True)


async def test_a_service_has_no_tab_that_leads_nowhere(door: Door) -> None:
    scene = await make_scene(door)
    service = "/projects/{project}/services/{service}".format(**scene.values)
    tabs = {name: (await scene.people[name].get(service)).text for name in ("viewer", "owner")}
    assert [f'"{service}/variables"' in tabs[name] for name in tabs] == [False, True]
    assert f'"{service}/domains"' in tabs["viewer"]
    worker = {"name": "jobs", "type": "worker"}
    made = await scene.people["owner"].call("POST", f"/projects/{scene.values['project']}/services", json=worker)
    assert made.status_code == 201
    jobs = f"/projects/{scene.values['project']}/services/jobs"
    assert f'"{jobs}/domains"' not in (await scene.people["owner"].get(jobs)).text
    assert "by its name, <code>jobs</code>" in (await scene.people["owner"].get(f"{jobs}/domains")).text


async def test_rules_of_previews_are_kept_as_they_were_set(door: Door) -> None:
    scene = await make_scene(door)
    owner, path = scene.people["owner"], "/projects/{project}/previews".format(**scene.values)
    assert "try" in (await owner.get("/projects/{project}/previews/{preview}".format(**scene.values))).text
    rules = {"pull_requests": "on", "branches": "feature/* fix/*", "hours": "48", "sleeps": "", "cap": "5"}
    assert (await owner.send(f"{path}/rules", {**rules, "scope": "graph"})).status_code == 303
    kept = (await owner.call("GET", "/projects/{project}/preview-rules".format(**scene.values))).json()
    assert (kept["pull_requests"], kept["forks"], kept["branches"]) == (True, False, ["feature/*", "fix/*"])
    assert (kept["lifetime_seconds"], kept["sleeps_after_seconds"], kept["cap"]) == (48 * 3600, None, 5)
    assert (kept["scope"], kept["base"], kept["protection"]) == ("graph", "production", "none")


async def test_settings_are_explained_and_saved_as_they_were_typed(door: Door) -> None:
    scene = await make_scene(door)
    owner, path = scene.people["owner"], "/projects/{project}/services/{service}".format(**scene.values)
    page = (await owner.get(f"{path}/settings")).text
    described = re.findall(r'aria-describedby="([a-z_]+-hint)"', page)
    assert len(described) >= 10
    assert all(f'id="{name}"' in page for name in described)
    fields = {
        "name": scene.values["service"],
        "image": "app:2",
        "port": "8080",
        "start_command": "serve --all 'two words'",
        "volumes": "uploads /var/lib/app\r\n\r\n cache   /cache ",
        "health_kind": "command",
        "health_command": "",
        "memory": "64",
        "drain": "7",
        "grace": "",
    }
    refused = await owner.send(f"{path}/settings", fields)
    assert (refused.status_code, "Say which command checks its health." in refused.text) == (422, True)
    saved = await owner.send(f"{path}/settings", {**fields, "health_command": "check --fast", "health_timeout": "90"})
    assert saved.status_code == 303
    service = (await owner.call("GET", path)).json()
    assert service["volumes"] == [{"name": "uploads", "path": "/var/lib/app"}, {"name": "cache", "path": "/cache"}]
    assert service["health"] == {"kind": "command", "path": "/", "command": ["check", "--fast"], "timeout_seconds": 90}
    assert (service["drain_seconds"], service["stop_grace_seconds"], service["memory_bytes"]) == (7, None, 64 * 1024**2)
    assert (service["start_command"], service["port"]) == (["serve", "--all", "two words"], 8080)
    page = (await owner.get(f"{path}/settings")).text
    for shown in (
        "serve --all &#39;two words&#39;",
        "uploads /var/lib/app\ncache /cache",
        "check --fast",
        'value="90"',
    ):
        assert shown in page
    refused = await owner.send(f"{path}/settings", {**fields, "health_kind": "auto", "volumes": "uploads"})
    assert (refused.status_code, "is not a name and a folder" in refused.text) == (422, True)
