"""Charts as numbers: lines stay inside, break where nothing was measured, and say in words what they show."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from towline.web.dashboard.charts import HEIGHT, LEFT, WIDTH, cores, sized, usage_charts

BEGIN = datetime(2026, 8, 1, 12, tzinfo=UTC)
_WIDTH_OF_A_LETTER = 5.9
NAMES = [
    "cpu",
    "memory_bytes",
    "memory_limit_bytes",
    "received_rate",
    "sent_rate",
    "request_rate",
    "failure_rate",
    "request_ms",
    "response_ms",
]


def history(*points: tuple[int, dict[str, float]]) -> dict[str, Any]:
    """An hour with points at these minutes."""
    return {
        "begins_at": BEGIN.isoformat(),
        "ends_at": (BEGIN + timedelta(hours=1)).isoformat(),
        "step_seconds": 60,
        "points": [
            {**dict.fromkeys(NAMES), "at": (BEGIN + timedelta(minutes=minute)).isoformat(), **values}
            for minute, values in points
        ],
    }


def test_a_line_stays_inside_and_breaks_where_nothing_was_measured() -> None:
    [cpu] = usage_charts(history((0, {"cpu": 0.1}), (1, {"cpu": 3.7}), (30, {"cpu": 0}), (59, {"cpu": 0.4})))
    [line] = cpu.lines
    places = [tuple(map(float, found.split())) for found in re.findall(r"[ML]([\d. ]+)", line.path)]
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in places)
    assert line.path.count("M") == 3
    assert [tick.text for tick in cpu.rows] == ["0.00", "2.50", "5.00"]
    assert cpu.summary == "CPU: now 0.40 cores, mean 1.05 cores, at most 3.70 cores"


def test_what_was_never_measured_is_not_drawn() -> None:
    assert usage_charts(history()) == []
    charts = usage_charts(history((0, {"cpu": 0.1, "response_ms": 2.5})))
    assert [chart.title for chart in charts] == ["CPU, in cores", "Response time"]
    assert charts[1].summary.startswith("Requests: not measured; Health checks: now 2.5 ms")


def test_whatever_was_measured_is_said_within_the_room_beside_the_axis() -> None:
    in_bytes = ["memory_bytes", "received_rate", "sent_rate"]
    for power in range(12):
        names = NAMES if power < 5 else in_bytes
        measured: dict[str, float] = dict.fromkeys(names, 9.9 * 10.0**power)
        charts = usage_charts(history((0, measured)))
        said = [tick.text for chart in charts for tick in chart.rows]
        assert max(len(text) for text in said) * _WIDTH_OF_A_LETTER <= LEFT - 5, (power, said)


def test_numbers_are_said_with_their_unit() -> None:
    assert [sized(value) for value in (0, 1023, 1536, 200 * 1024, 3 * 1024**3)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "200 KiB",
        "3.0 GiB",
    ]
    assert [cores(value) for value in (0, 0.123, 12.4)] == ["0.00 cores", "0.12 cores", "12 cores"]
