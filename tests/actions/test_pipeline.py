"""The pipeline: from a claim to an end, with the old release serving whenever it does not succeed."""

import asyncio

from tests.stand_ins import World

from towline.actions.access import SYSTEM
from towline.actions.configuration.places import Place
from towline.actions.configuration.settings import WantedVariable, set_variables
from towline.actions.deployments.attempt import Attempt, claim_next
from towline.actions.deployments.pipeline import run_deployment
from towline.actions.deployments.requests import cancel_deployment
from towline.actions.logs import read_lines
from towline.actions.masking import MASK
from towline.models.deployments import Deployment
from towline.values import DeploymentStatus, InstanceState


async def log_of(world: World, deployment_id: str) -> str:
    return "\n".join(line["message"] for line in await read_lines(world.platform, deployment_id))


async def running(world: World) -> list[str]:
    instances = await world.platform.orchestrator.list_instances()
    return [item.id for item in instances if item.state is InstanceState.RUNNING]


async def test_a_deployment_goes_live_and_the_next_one_replaces_it(world: World) -> None:
    first = await world.deploy_successfully("app:1")
    before = world.servers()
    second = await world.deploy_successfully("app:2")

    assert len(before) == len(world.servers()) == 1
    assert before != world.servers()
    assert len(await running(world)) == 1
    assert (first.number, second.number) == (1, 2)
    assert (await world.get_workload()).release_id == second.release_id
    assert [step["step"] for step in second.steps] == ["build", "start", "health", "switch", "retire"]
    assert all(step["seconds"] is not None for step in second.steps)


async def test_an_unhealthy_release_leaves_the_old_one_serving(world: World) -> None:
    good = await world.deploy_successfully("app:1")
    before = world.servers()
    bad = await world.deploy("unhealthy:2")

    assert bad.status == DeploymentStatus.FAILED
    assert bad.error is not None
    assert bad.error["code"] == "unhealthy"
    assert "answered 500" in bad.error["message"]
    assert world.servers() == before
    assert len(await running(world)) == 1
    assert (await world.get_workload()).release_id == good.release_id


async def test_a_program_that_ends_by_itself_is_named_with_its_exit_code(world: World) -> None:
    failed = await world.deploy("exits:1")

    assert failed.error is not None
    assert failed.error["code"] == "instance-exited"
    assert "exit code 3" in failed.error["message"]
    assert "Last output of" in await log_of(world, failed.id)


async def test_a_wrong_port_is_named_with_the_one_that_is_open(world: World) -> None:
    await world.change_service(run={"health": {"kind": "http", "path": "/", "timeout_seconds": 10}})
    failed = await world.deploy("other-port:1")

    assert failed.error is not None
    assert failed.error["code"] == "wrong-port"
    assert "9999" in failed.error["message"]
    assert failed.error["field"] == "port"


async def test_a_port_that_nobody_set_is_found_and_adopted(world: World) -> None:
    await world.change_service(port=None)
    await world.deploy_successfully("other-port:1")

    assert {server.rpartition(":")[2] for server in world.servers()} == {"9999"}


async def test_a_missing_image_fails_with_its_name(world: World) -> None:
    failed = await world.deploy("missing:1")

    assert failed.error is not None
    assert failed.error["code"] == "image-not-found"
    assert await running(world) == []


async def test_a_rollback_brings_the_old_release_back_without_a_build(world: World) -> None:
    first = await world.deploy_successfully("app:1")
    await world.deploy_successfully("app:2")
    await world.request_rollback()
    rollback = await world.run_next()

    assert rollback.status == DeploymentStatus.SUCCESS
    assert rollback.release_id == first.release_id
    assert "build" not in [step["step"] for step in rollback.steps]


async def test_a_newer_request_replaces_waiting_ones(world: World) -> None:
    waiting = [await world.request(f"app:{number}") for number in (1, 2, 3)]
    final = await world.run_next()

    assert final.id == waiting[2].id
    assert final.status == DeploymentStatus.SUCCESS
    statuses = [(await world.get_deployment(item.id)).status for item in waiting[:2]]
    assert statuses == [DeploymentStatus.SUPERSEDED, DeploymentStatus.SUPERSEDED]


async def test_a_failing_release_command_switches_nothing(world: World) -> None:
    await world.deploy_successfully("app:1")
    before = world.servers()
    await world.change_service(run={"release_command": ["false"]})
    failed = await world.deploy("app:2")

    assert failed.status == DeploymentStatus.FAILED
    assert failed.error is not None
    assert "release command" in failed.error["message"]
    assert world.servers() == before


async def test_a_release_command_runs_before_the_switch_and_its_output_is_kept(world: World) -> None:
    await world.change_service(run={"release_command": ["echo", "migrated"]})
    deployment = await world.deploy_successfully("app:1")

    assert "migrated" in await log_of(world, deployment.id)
    assert [step["step"] for step in deployment.steps][1] == "release_command"


async def test_a_service_with_a_volume_is_stopped_first_and_says_so(world: World) -> None:
    await world.change_service(run={"volumes": [{"name": "files", "path": "/files"}]})
    await world.deploy_successfully("app:1")
    second = await world.deploy_successfully("app:2")

    assert "volume" in await log_of(world, second.id)
    assert len(await running(world)) == 1


async def test_a_failed_deployment_of_a_service_with_a_volume_starts_the_old_instance_again(world: World) -> None:
    await world.change_service(run={"volumes": [{"name": "files", "path": "/files"}]})
    await world.deploy_successfully("app:1")
    failed = await world.deploy("exits:2")

    assert failed.status == DeploymentStatus.FAILED
    assert len(await running(world)) == 1
    assert len(world.servers()) == 1


async def test_max_surge_bounds_how_many_run_at_once(world: World) -> None:
    await world.change_service(run={"replicas": 3, "max_surge": 1})
    await world.deploy_successfully("app:1")
    second = await world.deploy_successfully("app:2")

    starts = [step["note"] for step in second.steps if step["step"] == "start"]
    assert starts == ["1 of 3"] * 3
    assert len(await running(world)) == 3
    assert len(world.servers()) == 3


async def test_a_worker_service_needs_no_port_and_gets_no_route(world: World) -> None:
    await world.change_service(type="worker", port=None, run={"health": {"kind": "process"}})
    await world.deploy_successfully("silent:1")

    assert world.servers() == set()
    assert len(await running(world)) == 1


async def test_cancel_ends_a_running_deployment_within_seconds(world: World) -> None:
    await world.deploy_successfully("app:1")
    before = world.servers()
    await world.request("silent:2")
    claimed = await claim_next(world.platform)
    assert claimed is not None
    register: dict[str, Attempt] = {}
    job = asyncio.create_task(run_deployment(world.platform, claimed, register))
    await world.wait_for_step(claimed.id, "health")
    async with world.platform.database.transaction() as work:
        row = await work.session.get(Deployment, claimed.id)
        assert row is not None
        await cancel_deployment(world.platform, work, row)
    register[claimed.id].nudge()
    await asyncio.wait_for(job, 2)

    assert (await world.get_deployment(claimed.id)).status == DeploymentStatus.CANCELLED
    assert world.servers() == before
    assert len(await running(world)) == 1


async def test_a_rollback_masks_the_secrets_of_its_release(world: World) -> None:
    secret = WantedVariable("TOKEN", "exits at once", is_secret=True)
    async with world.platform.database.transaction() as work:
        await set_variables(world.platform, work, Place(world.project), [secret], caller=SYSTEM)
    await world.deploy("app:exits")
    await world.request_rollback(1)
    again = await world.run_next()

    log = await log_of(world, again.id)
    assert f"this program {MASK}" in log
    assert "exits at once" not in log
