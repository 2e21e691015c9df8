"""Sessions over the WebSocket: by cookie from Towline's own pages alone, and ended at once with the session."""

from collections.abc import AsyncGenerator

import pytest
from tests.web.serving import Served, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus

from towline.actions.platform import Platform
from towline.actions.sessions import NewSession, end_session, open_session, rotate_session


@pytest.fixture
async def served(platform: Platform) -> AsyncGenerator[Served]:
    """The application on a real server."""
    async with serving(platform) as served:
        yield served


async def _sign_in(served: Served) -> NewSession:
    async with served.platform.database.transaction() as work:
        return await open_session(
            served.platform, work, user_id=served.world.user.id, method="password", device="", address=""
        )


async def test_ending_a_session_ends_its_socket_at_once_and_rotating_it_does_not(served: Served) -> None:
    kept, ended = await _sign_in(served), await _sign_in(served)
    async with served.socket(kept.value) as one, served.socket(ended.value) as other:
        await one.subscribe(served.project_room)
        await other.subscribe(served.project_room)
        async with served.platform.database.transaction() as work:
            await rotate_session(work, kept.session.id)
            await end_session(served.platform, work, user_id=served.world.user.id, session_id=ended.session.id)
        with pytest.raises(ConnectionClosed) as closed:
            await other.read(timeout=8)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        await served.tell(1)
        assert (await one.read())["type"] == "project.updated"


async def test_a_cookie_opens_a_socket_for_towlines_own_page_alone(served: Served) -> None:
    cookie = f"towline_session={(await _sign_in(served)).value}"
    own = f"http://127.0.0.1:{served.port}"
    async with served.socket("", Cookie=cookie, Origin=own) as socket:
        assert (await socket.subscribe(served.project_room))["type"] == "subscribed"
    for headers in (
        {},
        {"Origin": "http://shop.localhost"},
        {"Origin": own, "Sec-Fetch-Site": "same-site"},
        {"Origin": "http://towline.localhost:1"},
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with served.socket("", Cookie=cookie, **headers):
                pass
        assert refused.value.response.status_code == 403
