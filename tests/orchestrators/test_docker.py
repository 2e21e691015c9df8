"""What only the Docker Engine can show."""

import asyncio
import uuid
from contextlib import aclosing

import pytest
from tests.orchestrators.parts import Bench, docker, drop, until_death, wait_until

from towline.errors import Conflict, NotFound
from towline.orchestrators.docker.orchestrator import DockerOrchestrator
from towline.values import InstanceState, Limits, VolumeMount

pytestmark = pytest.mark.docker


async def count_containers(bench: Bench) -> int:
    """Containers that run or ran in the bench's network."""
    listed = await asyncio.to_thread(docker, "ps", "--all", "--quiet", "--filter", f"network={bench.network}")
    return len(listed.split())


@pytest.mark.parametrize("after", [0, 0.005, 0.05, 0.15, 0.3])
async def test_a_cancelled_start_leaves_no_container(docker_bench: Bench, after: float) -> None:
    task = asyncio.create_task(docker_bench.orchestrator.deploy(docker_bench.spec(), count=3))
    await asyncio.wait([task], timeout=after)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count_containers(docker_bench) == 0


async def test_when_one_instance_cannot_start_none_stays(docker_bench: Bench) -> None:
    spec = docker_bench.spec(network="towline-no-such-network")
    with pytest.raises(NotFound):
        await docker_bench.orchestrator.deploy(spec, count=3)
    assert list(await docker_bench.orchestrator.list_instances()) == []


async def test_a_cancelled_command_leaves_no_container(docker_bench: Bench) -> None:
    spec = docker_bench.spec()
    run = docker_bench.orchestrator.run_command(spec, ["sleep", "60"], timeout_seconds=30, report=drop)
    task = asyncio.create_task(run)

    async def is_running() -> bool:
        return await count_containers(docker_bench) == 1

    await wait_until(is_running)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count_containers(docker_bench) == 0


async def test_commands_left_by_a_killed_process_are_found_again(docker_bench: Bench) -> None:
    spec = docker_bench.spec()
    run = docker_bench.orchestrator.run_command(spec, ["sleep", "60"], timeout_seconds=30, report=drop)
    task = asyncio.create_task(run)

    async def is_running() -> bool:
        return await count_containers(docker_bench) == 1

    await wait_until(is_running)
    remove = docker_bench.orchestrator.remove_commands
    assert await docker_bench.orchestrator.list_command_deployments() == {spec.deployment_id}
    assert await remove(of_deployment="dep_other") == 0
    assert await remove(of_deployment=spec.deployment_id) == 1
    await asyncio.wait([task])
    assert await count_containers(docker_bench) == 0


async def test_variables_arrive_byte_for_byte(docker_bench: Bench) -> None:
    values = {
        "QUOTES": "a 'b' \"c\" $HOME `id` \\ #",
        "LINES": "one\ntwo\r\n",
        "EMPTY": "",
        "UNICODE": "ü€🚀",
        "EQUALS": "a=b",
    }
    spec = docker_bench.spec("silent", variables=values)
    instance = (await docker_bench.orchestrator.deploy(spec, count=1)).instances[0]
    _, output = await docker_bench.orchestrator.execute(instance, ["cat", "/proc/1/environ"], timeout_seconds=10)
    seen = dict(entry.split("=", 1) for entry in output.split("\0") if entry)
    assert {name: seen[name] for name in values} == values


async def test_instances_get_no_new_privileges_and_fewer_capabilities(docker_bench: Bench) -> None:
    instance = (await docker_bench.orchestrator.deploy(docker_bench.spec("silent"), count=1)).instances[0]
    _, output = await docker_bench.orchestrator.execute(instance, ["cat", "/proc/1/status"], timeout_seconds=10)
    status = dict(line.split(":\t", 1) for line in output.splitlines() if ":\t" in line)
    capabilities = int(status["CapBnd"], 16)
    assert status["NoNewPrivs"] == "1"
    for forbidden in (13, 27, 31, 21):  # NET_RAW, MKNOD, SETFCAP, SYS_ADMIN
        assert not capabilities & (1 << forbidden)
    assert docker("port", instance.engine_id) == ""


async def test_an_instance_that_takes_too_much_memory_says_so(docker_bench: Bench) -> None:
    command = ("dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1")
    spec = docker_bench.spec(command=command, limits=Limits(memory_bytes=16 * 1024 * 1024))
    await docker_bench.orchestrator.deploy(spec, count=4)

    async def have_ended() -> bool:
        instances = (await docker_bench.orchestrator.get_status(spec.workload_id)).instances
        has_ended = all(instance.exit_code == 137 for instance in instances)
        # Docker 20.10 misses about one in ten that ends so quickly
        return has_ended and any(instance.is_out_of_memory for instance in instances)

    await wait_until(have_ended)


async def test_only_an_instance_kept_running_is_started_again_by_the_engine(docker_bench: Bench) -> None:
    spec = docker_bench.spec(command=("sh", "-c", "sleep 0.5; exit 1"))
    kept, left = (await docker_bench.orchestrator.deploy(spec, count=2)).instances
    await docker_bench.orchestrator.keep_running(kept)

    async def has_come_back() -> bool:
        now = await docker_bench.orchestrator.find_instance(kept)
        return now is not None and now.restarts >= 1

    async def has_ended() -> bool:
        now = await docker_bench.orchestrator.find_instance(left)
        return now is not None and now.state is InstanceState.EXITED

    await wait_until(has_come_back)
    await wait_until(has_ended)
    ended = await docker_bench.orchestrator.find_instance(left)
    assert ended is not None
    assert (ended.state, ended.restarts) == (InstanceState.EXITED, 0)


async def test_the_kernel_tells_of_an_exit_before_the_engine_does(docker_bench: Bench) -> None:
    before = (await docker_bench.orchestrator.deploy(docker_bench.spec("silent"), count=1)).instances[0]
    async with aclosing(docker_bench.orchestrator.follow_events()) as events:
        during = (await docker_bench.orchestrator.deploy(docker_bench.spec("silent"), count=1)).instances[0]
        assert (await anext(events)).kind == "start"
        for instance in (before, during):
            kill = asyncio.create_task(asyncio.to_thread(docker, "kill", instance.engine_id))
            told = [(event.kind, event.instance_id) async for event in until_death(events)]
            await kill
            assert told == [("exit", instance.id), ("die", instance.id)]


async def test_no_line_is_lost_however_many_and_however_long(docker_bench: Bench) -> None:
    script = "seq 1 20000; head -c 40000 /dev/zero | tr '\\0' x; echo; echo last >&2"
    spec = docker_bench.spec(command=("sh", "-c", script.replace("tr '\\0' x", "cat")))
    instance = (await docker_bench.orchestrator.deploy(spec, count=1)).instances[0]
    async with aclosing(docker_bench.orchestrator.follow_logs(instance)) as entries:
        lines = [(entry.stream, entry.message) async for entry in entries]
    out = [message for stream, message in lines if stream == "stdout"]
    assert out[:20000] == [str(number) for number in range(1, 20001)]
    assert [len(message) for message in out[20000:]] == [16384, 16384, 40000 - 2 * 16384]
    assert [message for stream, message in lines if stream == "stderr"] == ["last"]
    tail = await docker_bench.orchestrator.get_logs(instance, tail=2)
    assert len(tail) == 2


async def test_a_command_past_its_time_limit_is_ended_inside_the_instance(docker_bench: Bench) -> None:
    instance = (await docker_bench.orchestrator.deploy(docker_bench.spec("silent"), count=1)).instances[0]
    with pytest.raises(Exception, match="took longer"):
        await docker_bench.orchestrator.execute(instance, ["sleep", "77"], timeout_seconds=0.3)

    async def is_gone() -> bool:
        return "sleep 77" not in await asyncio.to_thread(docker, "top", instance.engine_id)

    await wait_until(is_gone)


async def test_the_output_of_a_command_inside_is_bounded(docker_bench: Bench) -> None:
    instance = (await docker_bench.orchestrator.deploy(docker_bench.spec("silent"), count=1)).instances[0]
    exit_code, output = await docker_bench.orchestrator.execute(instance, ["seq", "1", "50000"], timeout_seconds=20)
    assert exit_code == 0
    assert len(output) == 4096
    assert output.endswith("50000\n")


# "api" asked over TCP: the static busybox crashes when it looks a name up
ASK_FOR_API = (
    r"(printf '\000\025\000\001\001\000\000\001\000\000\000\000\000\000\003api\000\000\001\000\001'; sleep 0.3)"
    " | nc -w 2 127.0.0.11 53 | od -An -v -tx1"
)


async def test_services_of_an_environment_reach_each_other_by_name_and_others_not(docker_bench: Bench) -> None:
    orchestrator = docker_bench.orchestrator
    api = (await orchestrator.deploy(docker_bench.spec(aliases=("api",)), count=1)).instances[0]
    other = f"{docker_bench.network}-other"
    await orchestrator.ensure_network(other, labels={})
    call = rf"printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 1 {api.address} 8080"
    address = " ".join(f"{int(part):02x}" for part in api.address.split("."))
    for script, answer in ((ASK_FOR_API, address), (call, "hello")):
        inside, outside = await asyncio.gather(
            *(say(docker_bench, script, network=network) for network in (docker_bench.network, other))
        )
        assert answer in inside
        assert answer not in outside


async def say(bench: Bench, script: str, *, network: str) -> str:
    """What a script prints in a network."""
    lines: list[str] = []

    async def keep(line: str) -> None:
        lines.append(line.strip())

    await bench.orchestrator.run_command(
        bench.spec(network=network), ["sh", "-c", script], timeout_seconds=20, report=keep
    )
    return " ".join(lines)


async def test_a_volume_outlives_its_instances_and_is_kept_while_in_use(docker_bench: Bench) -> None:
    name = f"towline-test-{uuid.uuid4().hex[:8]}"
    volumes = (VolumeMount(name, "/var/files"),)
    orchestrator = docker_bench.orchestrator
    spec = docker_bench.spec(volumes=volumes, command=("sh", "-c", "echo kept > /var/files/note; exec sleep 1000"))
    instance = (await orchestrator.deploy(spec, count=1)).instances[0]
    with pytest.raises(Conflict):
        await orchestrator.remove_volume(name)

    async def is_written() -> bool:
        return (await orchestrator.execute(instance, ["cat", "/var/files/note"], timeout_seconds=5))[0] == 0

    await wait_until(is_written)
    await orchestrator.remove(instance, grace_seconds=0)
    lines: list[str] = []

    async def keep(line: str) -> None:
        lines.append(line)

    await orchestrator.run_command(
        docker_bench.spec(volumes=volumes), ["cat", "/var/files/note"], timeout_seconds=20, report=keep
    )
    assert lines == ["kept"]
    await orchestrator.remove_volume(name)
    await orchestrator.remove_volume(name)


async def test_installations_share_an_engine_without_seeing_each_other(docker_bench: Bench) -> None:
    await docker_bench.orchestrator.deploy(docker_bench.spec("silent"), count=1)
    other = DockerOrchestrator(docker_host="", installation_id="test-other", network_pool="10.214.0.0/16")
    async with other.session():
        assert list(await other.list_instances()) == []
        assert list(await other.list_networks()) == []
        with pytest.raises(Conflict):
            await other.ensure_network(docker_bench.network, labels={})


async def test_networks_made_at_the_same_moment_get_subnets_of_their_own(docker_bench: Bench) -> None:
    installation_id = docker_bench.network.removeprefix("towline-")
    second = DockerOrchestrator(docker_host="", installation_id=installation_id, network_pool="10.214.0.0/16")
    names = [f"{docker_bench.network}-{number}" for number in range(3)]
    async with second.session():
        pairs = [(orchestrator, name) for orchestrator in (docker_bench.orchestrator, second) for name in names]
        subnets = await asyncio.gather(*(one.ensure_network(name, labels={}) for one, name in pairs))
    assert subnets[:3] == subnets[3:]
    assert len(set(subnets)) == 3
    assert len(docker("network", "ls", "--quiet", "--filter", f"name={docker_bench.network}-").split()) == 3


async def test_images_of_the_installation_are_listed_and_removed_by_id(docker_bench: Bench) -> None:
    orchestrator = docker_bench.orchestrator
    installation_id = docker_bench.network.removeprefix("towline-")
    image_id = docker_bench.images["web"]
    await orchestrator.tag_image(image_id, f"towline-{installation_id}/shop:1")
    assert [image.reference for image in await orchestrator.list_images()] == [image_id]
    await orchestrator.remove_image(image_id)
    assert list(await orchestrator.list_images()) == []
    assert (await orchestrator.get_image(image_id)).reference == image_id  # somebody else's name keeps it


async def test_an_image_in_use_is_quietly_kept(docker_bench: Bench) -> None:
    orchestrator = docker_bench.orchestrator
    await orchestrator.deploy(docker_bench.spec("silent"), count=1)
    for _ in range(2):
        await orchestrator.remove_image(docker_bench.images["silent"])
    assert await orchestrator.get_image(docker_bench.images["silent"])


async def test_an_instance_keeps_its_address_whoever_starts_before_it(docker_bench: Bench) -> None:
    orchestrator = docker_bench.orchestrator
    first, second = (await orchestrator.deploy(docker_bench.spec("silent"), count=2)).instances
    for instance in (first, second):
        await orchestrator.stop(instance, grace_seconds=0)
    (third,) = (await orchestrator.deploy(docker_bench.spec("silent"), count=1)).instances
    again = [await orchestrator.start(instance) for instance in (second, first)]
    assert [instance.address for instance in again] == [second.address, first.address]
    assert len({first.address, second.address, third.address}) == 3
