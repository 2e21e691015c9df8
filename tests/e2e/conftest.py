"""One whole Towline for all end-to-end tests of a session."""

from collections.abc import Iterator

import pytest
from tests.running import RunningTowline, running_towline


@pytest.fixture(scope="session")
def towline() -> Iterator[RunningTowline]:
    """A Towline that runs, with real Docker and Traefik."""
    with running_towline() as running:
        yield running
