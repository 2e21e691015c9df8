"""Cron services through the HTTP door: their settings, their runs, logs and status."""

from typing import Any

import pytest
from tests.stand_ins import World, make_world
from tests.web.door import Door, Person

from towline.actions.runs.attempt import claim_next_run
from towline.actions.runs.carrying_out import carry_out_run
from towline.contract.project_file_text import parse_project_file
from towline.contract.runs import Run, RunList
from towline.contract.status import ServiceStatus

SERVICE = "/projects/shop/services/nightly"
IMAGE = {"type": "custom", "config": {"image": "app:1"}}
RUN: dict[str, Any] = {"schedule": "30 2 * * *", "start_command": ["false"]}


@pytest.fixture
async def world(door: Door) -> World:
    """A deployed cron service whose program fails."""
    world = await make_world(door.platform, type="cron", name="shop", port=None, run=RUN)
    await world.change_service(name="nightly")
    await world.deploy_successfully()
    return world


@pytest.fixture
async def ann(door: Door, world: World) -> Person:
    """The owner of `shop`."""
    return await door.add_key(world.user.id)


async def carry_out_all(world: World) -> None:
    while (run := await claim_next_run(world.platform)) is not None:
        await carry_out_run(world.platform, run, {})


async def test_a_run_is_asked_for_listed_and_shown_as_the_health_of_its_service(ann: Person, world: World) -> None:
    asked = Run.model_validate(await ann.post(f"{SERVICE}/run"))
    assert (asked.status, asked.trigger, asked.release, asked.requested_by) == ("queued", "manual", 1, ann.user_id)
    assert (await ann.call("POST", f"{SERVICE}/run", json={})).status_code == 409
    await carry_out_all(world)
    await ann.post(f"{SERVICE}/run")
    await carry_out_all(world)

    first = RunList.model_validate(await ann.get(f"{SERVICE}/runs", limit=1))
    second = RunList.model_validate(await ann.get(f"{SERVICE}/runs", limit=1, cursor=first.next_cursor))
    assert [run.id for run in second.items] == [asked.id]
    assert second.next_cursor is None
    assert (await ann.get(f"{SERVICE}/runs", status="success"))["items"] == []
    ended = Run.model_validate(await ann.get(f"{SERVICE}/runs/{asked.id}"))
    assert (ended.status, ended.exit_code, ended.error) == ("failed", 1, "The program ended with exit code 1.")
    lines = (await ann.get(f"{SERVICE}/runs/{asked.id}/logs"))["items"]
    assert [line["message"] for line in lines] == ["Run of release 1.", "The program ended with exit code 1."]
    followed = await ann.call("GET", f"{SERVICE}/runs/{asked.id}/logs", params={"follow": "true", "since": "1"})
    assert len(followed.text.splitlines()) == 2

    status = ServiceStatus.model_validate(await ann.get(f"{SERVICE}/status"))
    assert (status.health, status.error) == ("unhealthy", "The program ended with exit code 1.")
    assert status.next_run_at is not None
    assert status.last_run is not None
    assert status.last_run.id == first.items[0].id


async def test_a_run_that_waits_is_cancelled_at_once(ann: Person) -> None:
    asked = await ann.post(f"{SERVICE}/run")
    cancelled = await ann.post(f"{SERVICE}/runs/{asked['id']}/cancel")
    assert cancelled["status"] == "cancelled"
    assert (await ann.call("POST", f"{SERVICE}/runs/{asked['id']}/cancel")).status_code == 409
    assert (await ann.call("GET", f"{SERVICE}/runs/run_0")).status_code == 404


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"type": "cron"}, "schedule"),
        ({"type": "cron", "schedule": "61 * * * *"}, "schedule"),
        ({"type": "cron", "schedule": "0 0 30 2 *"}, "schedule"),
        ({"type": "cron", "schedule": "0 3 * *"}, "schedule"),
        ({"type": "worker", "schedule": "0 3 * * *"}, "schedule"),
        ({"type": "cron", "schedule": "0 3 * * *", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"type": "cron", "schedule": "0 3 * * *", "time_zone": "../../etc/passwd"}, "time_zone"),
    ],
)
async def test_a_schedule_that_cannot_be_is_refused_with_its_field(
    ann: Person, settings: dict[str, Any], field: str
) -> None:
    answer = await ann.call("POST", "/projects/shop/services", json={"name": "new", **settings})
    assert answer.status_code == 422
    problem = answer.json()
    assert field in str(problem)
    assert problem["hint"]


async def test_what_is_deployed_as_cron_stays_so_and_has_no_instances(ann: Person) -> None:
    assert (await ann.call("PATCH", SERVICE, json={"type": "web", "schedule": None})).status_code == 422
    assert (await ann.call("PATCH", SERVICE, json={"schedule": None})).status_code == 422
    assert (await ann.call("POST", f"{SERVICE}/scale", json={"replicas": 2})).status_code == 409
    changed = await ann.patch(SERVICE, {"schedule": "0 4 * * MON-FRI", "time_zone": "Europe/Berlin"})
    assert (changed["schedule"], changed["time_zone"], changed["timeout_seconds"]) == (
        "0 4 * * MON-FRI",
        "Europe/Berlin",
        3600,
    )


async def test_the_export_of_a_project_holds_its_schedules_and_applies_to_nothing(ann: Person) -> None:
    await ann.patch(SERVICE, {"time_zone": "Europe/Berlin", "timeout_seconds": 60, "source": IMAGE})
    text = (await ann.get("/projects/shop/file"))["text"]
    assert "schedule: 30 2 * * *" in text
    file = parse_project_file(text).model_dump(mode="json", by_alias=True, exclude_unset=True)
    plan = await ann.post("/project-files/plan", {"file": file, "deletes": True})
    assert plan["changes"] == []
    file["services"]["nightly"]["schedule"] = "61 2 * * *"
    assert (await ann.call("POST", "/project-files/plan", json={"file": file})).status_code == 422
    file["services"]["nightly"].pop("schedule")
    assert (await ann.call("POST", "/project-files/plan", json={"file": file})).status_code == 422
