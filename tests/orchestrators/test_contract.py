"""The contract of an orchestrator, held against every implementation."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
import pytest
from tests.orchestrators.parts import Bench, drop, until_death, wait_until

from towline.errors import ImageNotFound, InvalidInput, NotFound, TimedOut
from towline.values import Instance, InstanceEvent, InstanceState


async def answer(instance: Instance, *, port: int = 8080) -> int:
    """The status of the instance's first page."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{instance.address}:{port}/") as response:
        return response.status


async def can_answer(instance: Instance) -> bool:
    """Whether the instance serves already."""
    try:
        return await answer(instance) == 200
    except aiohttp.ClientError:
        return False


class TestOrchestrator:
    """What every orchestrator promises."""

    async def test_deployed_instances_answer_at_addresses_of_their_own(self, bench: Bench) -> None:
        spec = bench.spec()
        deployed = (await bench.orchestrator.deploy(spec, count=2)).instances
        assert len({instance.address for instance in deployed}) == 2
        for instance in deployed:
            assert instance.state is InstanceState.RUNNING
            assert instance.id.startswith("ins_")
            assert (instance.workload_id, instance.release_id) == (spec.workload_id, spec.release_id)
            assert instance.name.startswith("towline-shop-web-production-r1-")
            await wait_until(lambda instance=instance: can_answer(instance))

    async def test_status_shows_the_instances_of_one_workload_and_the_listing_all(self, bench: Bench) -> None:
        one, other = bench.spec(), bench.spec("silent")
        first = (await bench.orchestrator.deploy(one, count=1)).instances[0]
        second = (await bench.orchestrator.deploy(other, count=1)).instances[0]
        status = await bench.orchestrator.get_status(one.workload_id)
        assert status.instances == (first,)
        assert status.running == 1
        listed = [instance.id for instance in await bench.orchestrator.list_instances()]
        assert listed == sorted([first.id, second.id])

    async def test_a_missing_image_is_said_and_leaves_nothing(self, bench: Bench) -> None:
        with pytest.raises(ImageNotFound):
            await bench.orchestrator.deploy(bench.spec("missing"), count=2)
        assert list(await bench.orchestrator.list_instances()) == []

    async def test_variables_that_cannot_be_carried_are_refused_and_leave_nothing(self, bench: Bench) -> None:
        with pytest.raises(InvalidInput) as refused:
            await bench.orchestrator.deploy(bench.spec(variables={"A": "x\0y"}), count=1)
        assert refused.value.field == "variables"
        assert list(await bench.orchestrator.list_instances()) == []

    async def test_scaling_starts_the_missing_and_removes_the_newest(self, bench: Bench) -> None:
        spec = bench.spec("silent")
        three = (await bench.orchestrator.scale(spec, 3)).instances
        assert len(three) == 3
        one = (await bench.orchestrator.scale(spec, 1)).instances
        assert [instance.id for instance in one] == [min(instance.id for instance in three)]
        assert (await bench.orchestrator.get_status(spec.workload_id)).running == 1
        assert (await bench.orchestrator.scale(spec, 0)).instances == ()

    async def test_an_instance_that_ends_shows_its_exit_code_and_its_last_words(self, bench: Bench) -> None:
        spec = bench.spec("exits")
        instance = (await bench.orchestrator.deploy(spec, count=1)).instances[0]

        async def has_ended() -> bool:
            status = await bench.orchestrator.get_status(spec.workload_id)
            return status.instances[0].state is InstanceState.EXITED

        await wait_until(has_ended)
        ended = await bench.orchestrator.find_instance(instance)
        assert ended is not None
        assert (ended.exit_code, ended.address, ended.is_out_of_memory) == (3, "", False)
        assert ended.finished_at is not None
        (entry,) = await bench.orchestrator.get_logs(ended)
        assert entry.message == "error: this program exits at once"
        assert (entry.stream, entry.level, entry.instance_id) == ("stderr", "error", instance.id)

    async def test_logs_are_followed_until_the_instance_is_stopped(self, bench: Bench) -> None:
        instance = (await bench.orchestrator.deploy(bench.spec("silent"), count=1)).instances[0]
        async with aclosing(bench.orchestrator.follow_logs(instance)) as entries:
            first = await anext(entries)
            assert (first.message, first.stream) == ("started", "stdout")
            stopping = asyncio.create_task(bench.orchestrator.stop(instance, grace_seconds=0))
            assert [entry.message async for entry in entries] == []
            await stopping

    async def test_logs_are_followed_from_a_time_on(self, bench: Bench) -> None:
        instance = (await bench.orchestrator.deploy(bench.spec("silent"), count=1)).instances[0]
        async with aclosing(bench.orchestrator.follow_logs(instance)) as entries:
            first = await anext(entries)
        await bench.orchestrator.stop(instance, grace_seconds=0)
        again = [entry async for entry in bench.orchestrator.follow_logs(instance, since=first.at)]
        assert again == [first]
        later = bench.orchestrator.follow_logs(instance, since=datetime.now(UTC))
        assert [entry async for entry in later] == []

    async def test_a_stopped_instance_stays_and_starts_again(self, bench: Bench) -> None:
        instance = (await bench.orchestrator.deploy(bench.spec(), count=1)).instances[0]
        for _ in range(2):
            await bench.orchestrator.stop(instance, grace_seconds=0)
        stopped = await bench.orchestrator.find_instance(instance)
        assert stopped is not None
        assert stopped.state is InstanceState.EXITED
        started = await bench.orchestrator.start(instance)
        assert started.state is InstanceState.RUNNING
        await wait_until(lambda: can_answer(started))
        restarted = await bench.orchestrator.restart(started, grace_seconds=0)
        assert restarted.id == instance.id
        await wait_until(lambda: can_answer(restarted))

    async def test_removing_can_be_repeated(self, bench: Bench) -> None:
        instance = (await bench.orchestrator.deploy(bench.spec("silent"), count=1)).instances[0]
        await asyncio.gather(*(bench.orchestrator.remove(instance, grace_seconds=0) for _ in range(3)))
        await bench.orchestrator.remove(instance, grace_seconds=1)
        await bench.orchestrator.stop(instance, grace_seconds=1)
        await bench.orchestrator.keep_running(instance)
        assert await bench.orchestrator.find_instance(instance) is None
        assert list(await bench.orchestrator.list_instances()) == []
        with pytest.raises(NotFound):
            await bench.orchestrator.get_logs(instance)

    async def test_events_tell_of_start_and_end(self, bench: Bench) -> None:
        events = bench.orchestrator.follow_events()
        spec = bench.spec("exits")
        instance = (await bench.orchestrator.deploy(spec, count=1)).instances[0]
        async with aclosing(events):
            assert await anext(events) == InstanceEvent("start", instance.id, spec.workload_id)
            ended = [event async for event in until_death(events)]
        assert [event.kind for event in ended[:-1]] in ([], ["exit"])
        assert ended[-1] == InstanceEvent("die", instance.id, spec.workload_id, exit_code=3)

    async def test_a_command_reports_its_lines_and_its_exit_code(self, bench: Bench) -> None:
        lines: list[str] = []

        async def keep(line: str) -> None:
            lines.append(line)

        spec = bench.spec()
        run = bench.orchestrator.run_command
        assert await run(spec, ["echo", "one", "two"], timeout_seconds=20, report=keep) == 0
        assert await run(spec, ["false"], timeout_seconds=20, report=keep) == 1
        program = replace(spec, command=("echo", "its", "own"))
        assert await run(program, (), timeout_seconds=20, report=keep, grace_seconds=5) == 0
        assert lines == ["one two", "its own"]
        with pytest.raises(TimedOut):
            await run(spec, ["sleep", "60"], timeout_seconds=0.5, report=drop)
        assert list(await bench.orchestrator.list_instances()) == []
        assert await bench.orchestrator.remove_commands() == 0

    async def test_a_command_inside_a_running_instance_has_a_time_limit(self, bench: Bench) -> None:
        instance = (await bench.orchestrator.deploy(bench.spec("silent"), count=1)).instances[0]
        execute = bench.orchestrator.execute
        assert await execute(instance, ["echo", "hi"], timeout_seconds=10) == (0, "hi\n")
        assert await execute(instance, ["false"], timeout_seconds=10) == (1, "")
        with pytest.raises(TimedOut):
            await execute(instance, ["sleep", "60"], timeout_seconds=0.3)

    @pytest.mark.parametrize(
        ("behaviour", "ports"), [("web", [8080]), ("other-port", [9999]), ("silent", []), ("loopback", [])]
    )
    async def test_listening_ports_are_found(self, bench: Bench, behaviour: str, ports: list[int]) -> None:
        spec = bench.spec(behaviour)
        instance = (await bench.orchestrator.deploy(spec, count=1)).instances[0]

        async def are_found() -> bool:
            return list(await bench.orchestrator.find_listening_ports(instance)) == ports

        await wait_until(are_found)

    async def test_usage_is_told_within_a_quarter_of_a_second(self, bench: Bench) -> None:
        instance = (await bench.orchestrator.deploy(bench.spec(), count=1)).instances[0]
        async with asyncio.timeout(0.5):  # twice the promise: other tests use this machine too
            usage = await bench.orchestrator.get_usage(instance)
        assert 0 < usage.memory_bytes <= usage.memory_limit_bytes == 64 * 1024 * 1024
        assert 0 <= usage.cpu < 2

    async def test_a_network_is_made_once_and_removed(self, bench: Bench) -> None:
        name = f"{bench.network}-second"
        subnet = await bench.orchestrator.ensure_network(name, labels={"towline.environment": "env_1"})
        assert subnet.endswith("/23")
        assert await bench.orchestrator.ensure_network(name, labels={}) == subnet
        assert await bench.orchestrator.ensure_network(bench.network, labels={}) != subnet
        assert list(await bench.orchestrator.list_networks()) == [bench.network, name]
        await bench.orchestrator.remove_network(name)
        await bench.orchestrator.remove_network(name)
        assert list(await bench.orchestrator.list_networks()) == [bench.network]

    async def test_a_network_in_use_is_kept(self, bench: Bench) -> None:
        await bench.orchestrator.deploy(bench.spec("silent"), count=1)
        await bench.orchestrator.remove_network(bench.network)
        assert list(await bench.orchestrator.list_networks()) == [bench.network]

    async def test_a_guest_keeps_its_address_and_leaves_with_the_network(self, bench: Bench) -> None:
        instance = (await bench.orchestrator.deploy(bench.spec("silent"), count=1)).instances[0]
        other = f"{bench.network}-other"
        await bench.orchestrator.ensure_network(other, labels={})
        for _ in range(2):
            await bench.orchestrator.admit_guest(instance, other, aliases=("db",))
        found = await bench.orchestrator.find_instance(instance)
        assert found is not None
        assert found.address == instance.address
        assert [item.address for item in await bench.orchestrator.list_instances()] == [instance.address]
        await bench.orchestrator.remove_network(other)
        assert list(await bench.orchestrator.list_networks()) == [bench.network]
        with pytest.raises(NotFound):
            await bench.orchestrator.admit_guest(instance, other, aliases=("db",))
        await bench.orchestrator.remove(instance, grace_seconds=0)
        await bench.orchestrator.admit_guest(instance, bench.network, aliases=("db",))

    async def test_images_are_found_or_said_to_be_missing(self, bench: Bench) -> None:
        image = await bench.orchestrator.get_image(bench.images["web"])
        assert image.digest.startswith("sha256:")
        assert image.size > 0
        with pytest.raises(ImageNotFound):
            await bench.orchestrator.get_image(bench.images["missing"])

    async def test_an_image_that_is_present_needs_no_registry(self, bench: Bench) -> None:
        image = await bench.orchestrator.pull_image(bench.images["web"], credential=None, report=drop)
        assert image == await bench.orchestrator.get_image(bench.images["web"])

    async def test_the_engine_answers_and_has_an_address_for_instances(self, bench: Bench) -> None:
        assert await bench.orchestrator.ping()
        assert (await bench.orchestrator.get_host_gateway()).count(".") == 3
