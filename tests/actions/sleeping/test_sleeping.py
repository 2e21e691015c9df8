"""Sleep: what falls asleep when, and what a request finds."""

from datetime import timedelta
from typing import TypedDict

from sqlalchemy import select, update
from tests.actions.sleeping.conftest import SLEEPS_AFTER, Bedroom

from towline.actions.health import check_all
from towline.actions.scaling import start_workload, stop_workload
from towline.actions.sleeping.activity import Activity, note_asked
from towline.actions.sleeping.arriving import Arrivals
from towline.actions.sleeping.waking import wake_up
from towline.models.base import utc_now
from towline.models.history import Event, HealthCheck
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator
from towline.routing.base import RequestTotals


class Place(TypedDict):
    """What actions of one workload take."""

    project: Project
    service: Service
    environment: Environment


async def test_what_nobody_asks_for_is_stopped_visitors_first(bedroom: Bedroom) -> None:
    await bedroom.look_later(SLEEPS_AFTER - 60)
    assert await bedroom.wanted() == {"web": "running", "db": "running"}
    await bedroom.look_later()
    assert await bedroom.wanted() == {"web": "sleeping", "db": "running"}
    assert bedroom.public_route().absence == "waking"
    assert bedroom.public_route().servers == ()
    await bedroom.look_later()
    assert await bedroom.wanted() == {"web": "sleeping", "db": "running"}  # an instance is still being drained
    await bedroom.settle()
    assert await bedroom.running() == {"db"}
    await bedroom.look_later()
    await bedroom.settle()
    assert await bedroom.running() == set()
    assert (await bedroom.environment()).sleep == "asleep"


async def test_nothing_sleeps_without_the_setting(bedroom: Bedroom) -> None:
    await bedroom.change(sleeps_after=None)
    await bedroom.look_later(10 * SLEEPS_AFTER)
    assert await bedroom.wanted() == {"web": "running", "db": "running"}


async def test_a_request_keeps_awake_and_the_monitor_does_not(bedroom: Bedroom) -> None:
    key = await bedroom.route_key()
    bedroom.router.totals = {key: RequestTotals(7)}
    await bedroom.activity.look()
    await bedroom.change(last_asked_at=utc_now() - timedelta(days=1))
    bedroom.router.totals = {key: RequestTotals(8)}
    await bedroom.look_later(60)
    asked = (await bedroom.environment()).last_asked_at
    assert asked is not None
    assert asked > utc_now()
    await check_all(bedroom.web.platform)
    await bedroom.look_later(120)
    assert (await bedroom.environment()).last_asked_at == asked
    await bedroom.look_later(60 + SLEEPS_AFTER + 1)
    assert (await bedroom.environment()).sleep == "asleep"


async def test_a_router_that_begins_to_count_anew_is_understood(bedroom: Bedroom) -> None:
    key = await bedroom.route_key()
    bedroom.router.totals = {key: RequestTotals(100)}
    await bedroom.activity.look()
    bedroom.router.totals = {}
    await bedroom.look_later(60)
    before = (await bedroom.environment()).last_asked_at
    bedroom.router.totals = {key: RequestTotals(1)}
    await bedroom.look_later(120)
    asked = (await bedroom.environment()).last_asked_at
    assert asked is not None
    assert before is None or asked > before


async def test_nothing_falls_asleep_that_was_not_watched_for_long_enough(bedroom: Bedroom) -> None:
    await bedroom.change(last_asked_at=utc_now() - timedelta(days=1), created_at=utc_now() - timedelta(days=1))
    fresh = Activity(bedroom.web.platform)
    later = utc_now() + timedelta(seconds=SLEEPS_AFTER + 1)
    await fresh.look(now=later)
    assert (await bedroom.environment()).sleep == "awake"
    await fresh.look(now=later + timedelta(seconds=SLEEPS_AFTER + 1))
    assert (await bedroom.environment()).sleep == "asleep"


async def test_an_open_connection_keeps_awake(bedroom: Bedroom) -> None:
    [server] = bedroom.web.servers()
    bedroom.router.open_requests = {server: 1}
    await bedroom.look_later()
    assert (await bedroom.environment()).sleep == "awake"


async def test_a_deployment_keeps_awake_until_it_has_been_over_for_long_enough(bedroom: Bedroom) -> None:
    waiting = await bedroom.web.request("app:2")
    await bedroom.look_later()
    assert (await bedroom.environment()).sleep == "awake"
    assert (await bedroom.web.run_next()).id == waiting.id
    await bedroom.look_later(SLEEPS_AFTER - 60)
    assert (await bedroom.environment()).sleep == "awake"


async def test_what_is_needed_wakes_first(bedroom: Bedroom) -> None:
    await bedroom.fall_asleep()
    await bedroom.ask()
    await wake_up(bedroom.web.platform)
    assert await bedroom.wanted() == {"web": "sleeping", "db": "running"}
    assert bedroom.public_route().absence == "waking"
    await bedroom.settle()
    await wake_up(bedroom.web.platform)
    assert await bedroom.wanted() == {"web": "running", "db": "running"}
    await bedroom.settle()
    assert not await wake_up(bedroom.web.platform)
    assert (await bedroom.environment()).sleep == "awake"
    assert set(bedroom.public_route().servers) == bedroom.web.servers() != set()


async def test_a_request_that_comes_while_it_falls_asleep_wakes_it_again(bedroom: Bedroom) -> None:
    await bedroom.look_later()
    await bedroom.wake()
    assert await bedroom.running() == {"web", "db"}
    assert len(bedroom.public_route().servers) == 1


async def test_somebody_who_asks_at_the_last_moment_is_not_overlooked(bedroom: Bedroom) -> None:
    later = utc_now() + timedelta(seconds=SLEEPS_AFTER + 1)
    async with bedroom.web.platform.database.transaction() as work:
        await note_asked(work, [bedroom.web.environment.id], now=later)
    await bedroom.activity.look(now=later)
    assert (await bedroom.environment()).sleep == "awake"


async def test_a_sleeper_is_not_looked_at_and_not_unhealthy(bedroom: Bedroom) -> None:
    await bedroom.fall_asleep()
    assert await check_all(bedroom.web.platform) == 0
    async with bedroom.web.platform.database.transaction() as work:
        assert (await work.session.scalars(select(HealthCheck.workload_id))).all() == []
        assert set(await work.session.scalars(select(Workload.health))) == {"unknown"}


async def test_a_deployment_wakes_all_that_it_needs(bedroom: Bedroom) -> None:
    await bedroom.fall_asleep()
    await bedroom.web.deploy_successfully("app:2")
    for _ in range(3):
        await wake_up(bedroom.web.platform)
        await bedroom.settle()
    assert (await bedroom.environment()).sleep == "awake"
    assert await bedroom.running() == {"web", "db"}


async def test_an_app_that_cannot_start_ends_the_waking(bedroom: Bedroom) -> None:
    await bedroom.fall_asleep()
    engine = bedroom.web.platform.orchestrator
    assert isinstance(engine, MemoryOrchestrator)
    async with bedroom.web.platform.database.transaction() as work:
        await work.session.execute(
            update(Workload).where(Workload.service_id == bedroom.web.service.id).values(restarts=9)
        )
    await bedroom.wake()
    async with bedroom.web.platform.database.transaction() as work:
        await work.session.execute(update(Workload).values(restarts=0))
    assert (await bedroom.environment()).sleep == "awake"


async def test_waking_ends_after_a_while_whatever_happens(bedroom: Bedroom) -> None:
    await bedroom.fall_asleep()
    await bedroom.ask()
    await bedroom.change(sleep_changed_at=utc_now() - timedelta(hours=1))
    assert not await wake_up(bedroom.web.platform)
    assert await bedroom.wanted() == {"web": "running", "db": "running"}
    assert (await bedroom.environment()).sleep == "awake"


async def test_what_somebody_stopped_stays_stopped_and_says_so(bedroom: Bedroom) -> None:
    world = bedroom.web
    place = Place(project=world.project, service=world.service, environment=world.environment)
    async with world.platform.database.transaction() as work:
        await stop_workload(world.platform, work, **place)
    await bedroom.settle()
    assert bedroom.public_route().absence == "maintenance"
    await bedroom.look_later()
    assert await bedroom.wanted() == {"web": "stopped", "db": "running"}  # nothing would be woken by a request
    async with world.platform.database.transaction() as work:
        await start_workload(world.platform, work, **place)
    await bedroom.settle()
    assert bedroom.public_route().absence == "down"


async def test_starting_a_sleeper_wakes_everything(bedroom: Bedroom) -> None:
    await bedroom.fall_asleep()
    world = bedroom.web
    async with world.platform.database.transaction() as work:
        await start_workload(
            world.platform, work, project=world.project, service=world.service, environment=world.environment
        )
    for _ in range(3):
        await wake_up(world.platform)
        await bedroom.settle()
    assert await bedroom.wanted() == {"web": "running", "db": "running"}


async def test_every_change_is_told(bedroom: Bedroom) -> None:
    await bedroom.fall_asleep()
    await bedroom.wake()
    async with bedroom.web.platform.database.transaction() as work:
        types = list(await work.session.scalars(select(Event.type).order_by(Event.created_at)))
    told = [one for one in types if one.startswith("environment.")]
    assert told == ["environment.asleep", "environment.waking", "environment.awake"]


async def test_those_who_wait_get_the_address_once_it_is_there(bedroom: Bedroom) -> None:
    arrivals = Arrivals(bedroom.web.platform)
    place = await arrivals.find_place(await bedroom.route_key())
    assert place is not None
    await bedroom.fall_asleep()
    assert await arrivals.wait_for_server(place, limit=timedelta(milliseconds=1)) == ""
    await arrivals.ask_for(place)
    await bedroom.wake()
    assert await arrivals.wait_for_server(place, limit=timedelta(seconds=20)) in bedroom.web.servers()
    assert await arrivals.find_place("rou-unknown") is None
    await arrivals.close()
