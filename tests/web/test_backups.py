"""Templates, backups and volumes through the HTTP door."""

from typing import Any

from tests.web.door import Door

from towline.contract.project_file_text import parse_project_file
from towline.contract.templates import parse_template, to_project_file

DATABASE = {
    "name": "db",
    "type": "database",
    "source": {"type": "custom", "config": {"image": "postgres:17"}},
    "volumes": [{"name": "data", "path": "/data"}],
}


async def test_every_template_can_be_planned_applied_and_written_again(door: Door) -> None:
    ann = await door.add_person()
    for number, row in enumerate((await ann.get("/templates"))["items"]):
        found = await ann.get(f"/templates/{row['name']}")
        template, project = parse_template(found["file"], where=row["name"]), f"shop{number}"
        file = to_project_file(template, project=project, name="store", answers={})
        body: dict[str, Any] = {"file": file.model_dump(mode="json", by_alias=True, exclude_unset=True)}
        plan = await ann.post("/project-files/plan", body)
        assert {change["action"] for change in plan["changes"]} == {"create"}, row["name"]
        assert sorted(name for step in plan["deploys"] for name in step) == sorted(file.services)
        await ann.post("/project-files/apply", {**body, "fingerprint": plan["fingerprint"], "deploys": False})
        written = parse_project_file((await ann.get(f"/projects/{project}/file"))["text"])
        again = {"file": written.model_dump(mode="json", by_alias=True, exclude_unset=True)}
        assert (await ann.post("/project-files/plan", again))["changes"] == [], row["name"]
    assert (await ann.call("GET", "/templates/none")).status_code == 404


async def test_backup_settings_that_cannot_be_are_refused_by_the_field(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    for backup, field in (
        ({"schedule": "30 3 * * *"}, "backup.command"),
        ({"command": ["x"], "schedule": "0 0 31 2 *"}, "backup.schedule"),
        ({"command": ["x"], "schedule": "0 99 * * *"}, "backup.schedule"),
        ({"command": ["x"], "schedule": "0 0 * * *", "time_zone": "Mars/Base"}, "backup.time_zone"),
    ):
        refused = await ann.call("POST", "/projects/shop/services", json={**DATABASE, "backup": backup})
        assert refused.status_code == 422, backup
        assert field in refused.text, refused.text


async def test_what_was_never_deployed_or_has_no_command_is_not_backed_up(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    await ann.post("/projects/shop/services", DATABASE)
    service = "/projects/shop/services/db"
    assert (await ann.call("POST", f"{service}/backups", json={})).status_code == 422
    await ann.patch(service, {"backup": {"command": ["dump"]}})
    assert (await ann.call("POST", f"{service}/backups", json={})).status_code == 409
    assert (await ann.call("POST", f"{service}/volumes/data/snapshot", json={})).status_code == 409
    assert (await ann.call("POST", f"{service}/volumes/other/snapshot", json={})).status_code == 404
    assert (await ann.get("/projects/shop/volumes"))["items"] == []
    assert (await ann.get("/projects/shop/backups"))["items"] == []
    for path in ("backups/bkp_1", "backups/bkp_1/content", "restores/rst_1"):
        assert (await ann.call("GET", f"/projects/shop/{path}")).status_code == 404


async def test_a_key_that_may_not_deploy_runs_no_dump_and_changes_none(door: Door) -> None:
    ann = await door.add_person()
    await ann.post("/projects", {"name": "shop"})
    await ann.post("/projects/shop/services", {**DATABASE, "backup": {"command": ["dump"]}})
    service, other = "/projects/shop/services/db", {"command": ["sh", "-c", "id"], "schedule": "* * * * *"}
    manages = await door.add_key(ann.user_id, scopes=["manage_services", "view_projects"])
    assert (await manages.call("POST", f"{service}/backups", json={})).status_code == 403
    assert (await manages.call("PATCH", service, json={"backup": other})).status_code == 403
    assert (await manages.call("PATCH", service, json={"backup": {"command": ["dump"]}})).status_code == 200
    file = parse_project_file((await ann.get("/projects/shop/file"))["text"])
    body: dict[str, Any] = {"file": file.model_dump(mode="json", by_alias=True, exclude_unset=True), "deploys": False}
    body["file"]["services"]["db"]["backup"] = other
    plan = await ann.post("/project-files/plan", {"file": body["file"]})
    body["fingerprint"] = plan["fingerprint"]
    assert (await manages.call("POST", "/project-files/apply", json=body)).status_code == 403
    assert (await ann.get(service))["backup"]["command"] == ["dump"]
    assert (await manages.call("PATCH", service, json={"backup": None})).status_code == 200
