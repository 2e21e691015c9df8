"""One real Traefik for the whole session, and routers that use it."""

import contextlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack

import pytest
from tests.routing.servers import Backend, RunningTraefik, backend, running_traefik, wait_until

from towline.errors import RouterUnavailable
from towline.routing.base import Router
from towline.routing.memory import MemoryRouter
from towline.routing.traefik.router import TraefikRouter


@pytest.fixture(scope="session")
def traefik(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTraefik]:
    """A Traefik that all tests share; each uses hosts, keys and owners of its own."""
    with running_traefik(tmp_path_factory.mktemp("traefik")) as running:
        yield running


@pytest.fixture
async def router(traefik: RunningTraefik) -> AsyncGenerator[TraefikRouter]:
    """The real router; the routes that a test leaves are removed."""
    router = TraefikRouter(traefik.options)
    async with router.session():
        await wait_until(lambda: _answers(router))
        yield router
        for owner in await router.list_owners():
            await router.remove(owner)


@pytest.fixture(params=["memory", "traefik"])
async def any_router(request: pytest.FixtureRequest, traefik: RunningTraefik) -> AsyncGenerator[Router]:
    """Every router that keeps the contract of publishing."""
    router: Router = TraefikRouter(traefik.options) if request.param == "traefik" else MemoryRouter()
    async with router.session():
        await wait_until(lambda: _answers(router))
        yield router
        for owner in await router.list_owners():
            await router.remove(owner)


@pytest.fixture
async def backends() -> AsyncGenerator[tuple[Backend, Backend]]:
    """Two backends, on two addresses."""
    async with AsyncExitStack() as stack:
        yield (
            await stack.enter_async_context(backend("old", host="127.0.0.2")),
            await stack.enter_async_context(backend("new", host="127.0.0.3")),
        )


async def _answers(router: Router) -> bool:
    """Traefik takes its very first configuration up a moment after it listens."""
    with contextlib.suppress(RouterUnavailable):
        return bool(await router.ping())
    return False
