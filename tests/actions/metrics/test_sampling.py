"""Samples: what instances and routes are asked, what rates come of it, and what is kept for how long."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from tests.stand_ins import World

from towline.actions.metrics.reading import STEPS, Window, read_response_times, read_samples, read_uptime
from towline.actions.metrics.sampling import Sampler
from towline.actions.metrics.thinning import thin_samples
from towline.actions.routes import route_key
from towline.models.base import utc_now
from towline.models.history import HealthCheck
from towline.models.metrics import MetricSample
from towline.models.services import Route
from towline.routing.base import RequestTotals
from towline.routing.memory import MemoryRouter


async def samples_of(world: World) -> list[MetricSample]:
    async with world.platform.database.transaction() as work:
        found = await work.session.scalars(select(MetricSample).order_by(MetricSample.sampled_at))
        return list(found)


async def key_of_route(world: World) -> str:
    async with world.platform.database.transaction() as work:
        return route_key((await work.session.scalars(select(Route.id))).one())


async def test_a_sample_adds_all_instances_of_a_workload_up(world: World) -> None:
    await world.change_service(run={"replicas": 2})
    await world.deploy_successfully()
    assert await Sampler(world.platform).run() == 1
    [sample] = await samples_of(world)
    assert (sample.instances, sample.cpu, sample.memory_bytes) == (2, 0.02, 2 << 20)
    assert (sample.received_rate, sample.request_rate) == (None, None)


async def test_rates_are_what_differs_between_two_looks(world: World) -> None:
    await world.deploy_successfully()
    router, key, sampler = world.platform.router, await key_of_route(world), Sampler(world.platform)
    assert isinstance(router, MemoryRouter)
    router.totals = {key: RequestTotals(100, 10, 5.0), "of-another": RequestTotals(7)}
    await sampler.run()
    router.totals = {key: RequestTotals(104, 11, 5.2)}
    await sampler.run()
    first, second = await samples_of(world)
    assert (first.request_rate, second.received_rate) == (None, 0)
    assert second.request_rate
    assert second.failure_rate
    assert second.request_ms
    assert round(second.request_rate / second.failure_rate) == 4
    assert round(second.request_ms) == 50


async def test_a_router_that_was_started_again_counts_from_nought(world: World) -> None:
    await world.deploy_successfully()
    router, key, sampler = world.platform.router, await key_of_route(world), Sampler(world.platform)
    assert isinstance(router, MemoryRouter)
    for count in (1000, 3):
        router.totals = {key: RequestTotals(count, 0, count / 100)}
        await sampler.run()
    rate = (await samples_of(world))[-1].request_rate
    assert rate is not None
    assert rate > 0


async def test_nothing_is_sampled_of_what_does_not_run(world: World) -> None:
    assert await Sampler(world.platform).run() == 0
    assert await samples_of(world) == []


async def _age(world: World, ages: list[timedelta]) -> None:
    """One sample of each age, each with its number as CPU."""
    now, workload = utc_now(), await world.get_workload()
    async with world.platform.database.transaction() as work:
        for number, age in enumerate(ages):
            values = {"instances": 1, "memory_bytes": 1, "memory_limit_bytes": 1}
            row = MetricSample(workload_id=workload.id, sampled_at=now - age, cpu=float(number), **values)
            work.session.add(row)


async def test_samples_are_thinned_after_a_day_and_forgotten_after_a_week(world: World) -> None:
    await world.deploy_successfully()
    whole = datetime.fromtimestamp(int(utc_now().timestamp()) // 600 * 600, utc_now().tzinfo)
    yesterday = utc_now() - (whole - timedelta(days=1, hours=2))
    await _age(world, [timedelta(hours=1), yesterday - timedelta(minutes=1), yesterday - timedelta(minutes=5)])
    for _ in range(2):
        await thin_samples(world.platform)
    thinned, full = await samples_of(world)
    assert (thinned.is_thinned, thinned.cpu, thinned.sampled_at) == (True, 1.5, whole - timedelta(days=1, hours=2))
    assert (full.is_thinned, full.cpu) == (False, 0)
    async with world.platform.database.transaction() as work:
        await work.session.execute(
            update(MetricSample).where(MetricSample.is_thinned).values(sampled_at=utc_now() - timedelta(days=8))
        )
    await thin_samples(world.platform)
    assert [sample.is_thinned for sample in await samples_of(world)] == [False]


async def test_samples_and_checks_are_read_by_steps(world: World) -> None:
    await world.deploy_successfully()
    workload = await world.get_workload()
    window = Window.until_now(*STEPS["1h"])
    last = window.begins_at + window.step * (window.count - 1)
    async with world.platform.database.transaction() as work:
        for second, cpu, status in ((0, 1.0, "healthy"), (30, 3.0, "unhealthy")):
            at, values = last + timedelta(seconds=second), {"instances": 1, "memory_bytes": 5, "memory_limit_bytes": 9}
            work.session.add(MetricSample(workload_id=workload.id, sampled_at=at, cpu=cpu, **values))
            error = "" if status == "healthy" else "nothing answers"
            work.session.add(
                HealthCheck(workload_id=workload.id, checked_at=at, status=status, response_ms=cpu, error=error)
            )
    async with world.platform.database.transaction() as work:
        [point] = await read_samples(work, workload.id, window)
        times = await read_response_times(work, workload.id, window)
        uptime = await read_uptime(work, workload.id, window)
    assert (point["at"], point["cpu"], point["memory_bytes"], point["request_rate"]) == (last, 2.0, 5, None)
    assert times == {last: 2.0}
    assert uptime[last] == {
        "at": last,
        "healthy": 1,
        "degraded": 0,
        "unhealthy": 1,
        "unknown": 0,
        "error": "nothing answers",
    }
