"""An hour of what services used and a day of checks, written as if they had been measured: charts need something."""

from pathlib import Path
from typing import Final

from tests.e2e.survival_picture import connect

_USE: Final = """
    INSERT INTO metric_samples SELECT w.id, now() - n * interval '30 seconds', false, 1,
    (0.08 + 0.05 * sin(n / 9.0) + 0.01 * (n % 5)) * least(1, n / 30.0),
    (0.6 + (0.3 + 0.1 * sin(n / 9.0)) * least(1, n / 30.0)) * 1048576, 512 * 1048576,
    (9000 + 4000 * sin(n / 7.0)) * least(1, n / 30.0), (42000 + 21000 * sin(n / 7.0)) * least(1, n / 30.0),
    (6 + 3 * sin(n / 11.0) + n % 2) * least(1, n / 30.0),
    CASE WHEN n BETWEEN 40 AND 46 THEN 1.5 ELSE 0 END, 14 + 6 * sin(n / 5.0) + n % 4
    FROM workloads w JOIN services s ON s.id = w.service_id AND s.type <> 'cron',
    generate_series(1, 119) AS n ON CONFLICT DO NOTHING"""
_CHECKS: Final = """
    INSERT INTO health_checks SELECT w.id, now() - n * interval '2 minutes',
    CASE WHEN n BETWEEN 390 AND 394 THEN 'unhealthy' WHEN n BETWEEN 200 AND 205 THEN 'degraded' ELSE 'healthy' END,
    3 + n % 4, CASE WHEN n BETWEEN 390 AND 394 THEN 'GET / answered 502' ELSE '' END
    FROM workloads w JOIN services s ON s.id = w.service_id AND s.type <> 'cron',
    generate_series(1, 719) AS n ON CONFLICT DO NOTHING"""


async def write_history(data: Path) -> None:
    """Give every workload of a Towline, by its data folder, a past."""
    connection = await connect(data)
    try:
        for statement in (_USE, _CHECKS):
            await connection.execute(statement)
    finally:
        await connection.close()
