"""What is read of Traefik's figures."""

import pytest
from tests.routing.servers import RunningTraefik, backend, wait_until
from tests.routing.test_switch import get, publish

from towline.routing.base import RequestTotals
from towline.routing.traefik.figures import request_totals
from towline.routing.traefik.router import TraefikRouter

TEXT = """
# TYPE traefik_service_requests_total counter
traefik_service_requests_total{code="200",method="GET",protocol="http",service="rou-1@file"} 12
traefik_service_requests_total{code="502",method="POST",protocol="http",service="rou-1@file"} 3
traefik_service_request_duration_seconds_sum{code="200",method="GET",protocol="http",service="rou-1@file"} 0.25
traefik_service_request_duration_seconds_sum{code="502",method="POST",protocol="http",service="rou-1@file"} 1e-05
traefik_service_requests_total{code="200",method="GET",protocol="http",service="api@internal"} 9
traefik_service_requests_bytes_total{code="200",method="GET",protocol="http",service="rou-1@file"} 99
"""


def test_requests_are_counted_by_route() -> None:
    assert request_totals(TEXT) == {"rou-1": RequestTotals(15, 3, 0.25001)}
    assert request_totals("") == {}


@pytest.mark.timeout(60)
async def test_a_real_traefik_tells_its_requests(traefik: RunningTraefik, router: TraefikRouter) -> None:
    async with backend("one", host="127.0.0.2") as one:
        await publish(router, one.url)

        async def count() -> int:
            return (await router.get_request_totals()).get("shop", RequestTotals()).requests

        before = await count()
        for _ in range(3):
            await get(traefik.url("/"), "shop.example.com")

        async def is_counted() -> bool:
            return await count() == before + 3

        await wait_until(is_counted, seconds=10)
