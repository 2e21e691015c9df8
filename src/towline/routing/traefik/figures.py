"""Traefik's figures for Prometheus, as far as they tell of requests to services."""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from towline.routing.base import RequestTotals

_LINE: Final = re.compile(
    r"^traefik_service_(requests_total|request_duration_seconds_sum)\{([^}\n]*)\} ([0-9.e+-]+)$", re.MULTILINE
)
_SERVICE: Final = re.compile(r'service="([a-z0-9_-]+)@file"')
_FAILED: Final = re.compile(r'code="5\d\d"')


def request_totals(text: str) -> Mapping[str, RequestTotals]:
    """Requests by route key; https://doc.traefik.io/traefik/observability/metrics/overview/#service-metrics."""
    counts: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for name, labels, value in _LINE.findall(text):
        service = _SERVICE.search(labels)
        if service is None:
            continue
        count, amount = counts[service[1]], float(value)
        if name != "requests_total":
            count[2] += amount
            continue
        count[0] += amount
        count[1] += amount if _FAILED.search(labels) else 0
    return {key: RequestTotals(int(all_), int(failed), seconds) for key, (all_, failed, seconds) in counts.items()}
