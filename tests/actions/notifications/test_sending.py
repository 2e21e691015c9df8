"""From an event to a message that arrives: each once, tried again while that helps, never into closed networks."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.actions.notifications.receiver import Receiver, receiving
from tests.smtp_server import Inbox, serve_smtp
from tests.stand_ins import World, make_world, stand_in_platform

from towline.actions.events import emit, relay_once
from towline.actions.notifications.channels import NewChannel, WantedChannel, create_channel, queue_test
from towline.actions.notifications.history import forget_old_notifications
from towline.actions.notifications.sending import notify_once, send_due
from towline.actions.notifications.taking import take_events
from towline.actions.platform import Platform
from towline.models.base import utc_now
from towline.models.notifications import Notification, NotificationChannel

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see `serve_smtp`

ALL = ("health.down", "health.recovered", "deployment.failed", "deployment.succeeded", "run.failed")


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    """A mail server."""
    async with serve_smtp() as inbox:
        yield inbox


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that takes webhooks."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
async def platform(tmp_path: Path, postgres_url: str, redis_url: str, inbox: Inbox) -> AsyncIterator[Platform]:
    """A platform that sends mail."""
    parts = {"postgres_url": postgres_url, "redis_url": redis_url, "smtp_url": inbox.url}
    async with stand_in_platform(tmp_path, **parts) as platform:
        yield platform


@pytest.fixture
async def world(platform: Platform) -> World:
    """A project `shop` with the service `web`."""
    return await make_world(platform)


async def _add(world: World, kind: str, address: str, **values: Any) -> NewChannel:
    settings: dict[str, Any] = {
        "events": ALL,
        "environments": ("production",),
        "allows_local": True,
        "name": "on call",
        **values,
    }
    is_of_instance = settings.pop("is_of_instance", False)
    async with world.platform.database.transaction() as work:
        wanted = WantedChannel(kind=kind, address=address, **settings)
        project_id = None if is_of_instance else world.project.id
        return await create_channel(world.platform, work, project_id=project_id, wanted=wanted)


async def _tell(world: World, type_: str, **data: Any) -> None:
    facts = {"environmentId": world.environment.id, **data}
    async with world.platform.database.transaction() as work:
        place = {"project_id": world.project.id, "service_id": world.service.id}
        emit(world.platform, work, type_, data=facts, **place)
    await relay_once(world.platform)


async def _rows(world: World) -> list[Notification]:
    async with world.platform.database.transaction() as work:
        return list(await work.session.scalars(select(Notification).order_by(Notification.id)))


async def test_a_signed_webhook_says_what_happened(world: World, receiver: Receiver) -> None:
    made = await _add(world, "webhook", receiver.url)
    await _tell(world, "service.health", status="unhealthy", error="No answer.")
    await notify_once(world.platform)
    [(headers, body)] = receiver.requests
    signed = f"{headers['x-towline-timestamp']}.".encode() + body
    assert made.secret is not None
    digest = hmac.new(made.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["x-towline-signature"] == f"sha256={digest}"
    [told] = receiver.bodies
    assert (told["kind"], told["title"]) == ("health.down", "shop/web in production is down")
    assert (told["text"], "/projects/shop/services/web" in told["url"]) == ("No answer.", True)
    [row] = await _rows(world)
    assert (row.status, row.reason, row.attempts, row.sent_at is not None) == ("sent", "", 1, True)
    async with world.platform.database.transaction() as work:
        channel = await work.session.get_one(NotificationChannel, made.channel.id)
    assert receiver.url.encode() not in channel.address


async def test_down_and_up_again_are_told_once_each(world: World, receiver: Receiver) -> None:
    await _add(world, "webhook", receiver.url)
    for status in ("healthy", "unhealthy", "degraded", "unhealthy", "degraded", "healthy", "degraded", "healthy"):
        await _tell(world, "service.health", status=status)
    await notify_once(world.platform)
    assert [told["kind"] for told in receiver.bodies] == ["health.down", "health.recovered"]
    await _tell(world, "service.health", status="unhealthy")
    await notify_once(world.platform)
    assert [told["kind"] for told in receiver.bodies] == ["health.down", "health.recovered", "health.down"]


async def test_each_event_is_told_once_however_often_it_is_looked_at(world: World) -> None:
    await _tell(world, "run.failed", run="run_0")
    made = await _add(world, "email", "kim@example.com")
    await _tell(world, "run.failed", run="run_1", error="It ended with 1.")
    assert await take_events(world.platform) == 1
    assert await take_events(world.platform) == 0
    async with world.platform.database.transaction() as work:
        await work.session.execute(update(NotificationChannel).values(told_until=0))
    await take_events(world.platform)
    assert [row.subject for row in await _rows(world) if row.subject == "run_1"] == ["run_1"]
    assert made.secret is None


async def test_only_what_a_channel_wants_reaches_it(world: World, inbox: Inbox) -> None:
    await _add(world, "email", "kim@example.com", events=("run.failed",))
    await _add(world, "email", "ann@example.com", name="staging", environments=("staging",))
    await _add(world, "email", "root@example.com", name="all", is_of_instance=True)
    paused = await _add(world, "email", "no@example.com", name="paused")
    async with world.platform.database.transaction() as work:
        (await work.session.get_one(NotificationChannel, paused.channel.id)).is_paused = True
    await _tell(world, "run.failed", run="run_1", error="It ended with 1.")
    await _tell(world, "deployment.failed", status="failed", error="No.")
    await notify_once(world.platform)
    arrived = sorted((str(mail["To"]), str(mail["Subject"]).partition(" of")[0]) for mail in inbox.messages)
    assert [to for to, _ in arrived] == ["kim@example.com", "root@example.com", "root@example.com"]


async def test_a_receiver_that_fails_is_asked_again_and_one_that_refuses_is_not(
    world: World, receiver: Receiver
) -> None:
    made = await _add(world, "webhook", receiver.url)
    await _test(world, made)
    receiver.status = 503
    await send_due(world.platform)
    [row] = await _rows(world)
    assert (row.status, row.reason, row.attempts) == ("queued", "The receiver answered 503.", 1)
    assert row.not_before > utc_now()
    assert await send_due(world.platform) == 0
    await _make_due(world)
    receiver.status = 302
    await send_due(world.platform)
    [row] = await _rows(world)
    assert (row.status, row.reason, row.attempts) == ("failed", "The receiver answered 302.", 2)
    assert len(receiver.requests) == 2


async def test_what_is_never_taken_is_given_up(world: World, receiver: Receiver) -> None:
    made = await _add(world, "webhook", receiver.url)
    await _test(world, made)
    async with world.platform.database.transaction() as work:
        await work.session.execute(update(Notification).values(attempts=6))
    receiver.status = 500
    await send_due(world.platform)
    [row] = await _rows(world)
    assert (row.status, row.attempts) == ("failed", 7)


async def test_nothing_is_sent_into_closed_networks(world: World, receiver: Receiver) -> None:
    made = await _add(world, "other", f"ntfy://127.0.0.1:{receiver.port}/topic", allows_local=False)
    await _test(world, made)
    await send_due(world.platform)
    [row] = await _rows(world)
    assert row.status == "failed"
    assert "this machine" in row.reason
    assert receiver.requests == []


async def test_another_service_is_told_by_apprise(world: World, receiver: Receiver) -> None:
    made = await _add(world, "other", f"ntfy://127.0.0.1:{receiver.port}/topic")
    await _test(world, made)
    await send_due(world.platform)
    [row] = await _rows(world)
    assert (row.status, row.reason) == ("sent", "")
    assert b"Test message from Towline" in receiver.requests[0][1] + str(receiver.requests[0][0]).encode()


async def test_mail_that_is_refused_says_why(world: World, inbox: Inbox) -> None:
    inbox.refusals["kim@example.com"] = "550 no such user"
    made = await _add(world, "email", "kim@example.com")
    await _test(world, made)
    await send_due(world.platform)
    [row] = await _rows(world)
    assert row.status == "failed"
    assert "550 no such user" in row.reason


async def test_old_notifications_are_forgotten(world: World) -> None:
    made = await _add(world, "email", "kim@example.com")
    await _test(world, made)
    async with world.platform.database.transaction() as work:
        await work.session.execute(update(Notification).values(created_at=utc_now() - timedelta(days=91)))
    await forget_old_notifications(world.platform)
    assert await _rows(world) == []


async def _test(world: World, made: NewChannel) -> None:
    async with world.platform.database.transaction() as work:
        await queue_test(world.platform, work, made.channel, asked_by="ann@example.com")


async def _make_due(world: World) -> None:
    async with world.platform.database.transaction() as work:
        await work.session.execute(update(Notification).values(not_before=utc_now()))
