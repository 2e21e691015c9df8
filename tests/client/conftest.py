"""A client and the stub server it talks to."""

from collections.abc import Iterator

import pytest
from tests.client.stub_server import serve
from tests.client.stub_state import API_KEY, StubState

from towline.client import TowlineClient


@pytest.fixture
def state() -> StubState:
    """What the stub server remembers."""
    return StubState()


@pytest.fixture
def server_url(state: StubState) -> Iterator[str]:
    """Address of a running stub server."""
    with serve(state) as url:
        yield url


@pytest.fixture
def client(server_url: str) -> Iterator[TowlineClient]:
    """A client of the stub server."""
    with TowlineClient(server_url, API_KEY, timeout=10) as client:
        yield client
