"""Fills a Towline's database with copies of what was deployed first, with deployments and with logs."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.running import RunningTowline

from towline.infra.database import Database
from towline.supervise.layout import Layout
from towline.supervise.postgres import ROLE, postgres_url

FIRST_PROJECT: Final = "p0001"
FIRST_SERVICE: Final = "s0001"
_PAGE: Final = 10
_SUPERUSER: Final = "towline_admin"
_STATEMENTS: Final = Path(__file__).parent / "filling.sql"


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of everything."""

    projects: int
    services: int
    deployments: int
    lines: int
    is_even: int = 0
    """1: every project has as many services, every service as many deployments, and only the first one has a log."""

    def hundredth(self) -> "Size":
        """A hundredth of it, but projects and services enough for a page."""
        return Size(
            max(_PAGE, self.projects // 100),
            max(_PAGE, self.services // 100),
            self.deployments // 100,
            self.lines // 100,
        )


async def fill(towline: RunningTowline, size: Size) -> None:
    """Add so much of everything, as copies of the project, service and deployment that were made first."""
    url = postgres_url(Layout(towline.folder).sockets / "postgres")
    database = Database(url.replace(f"//{ROLE}@", f"//{_SUPERUSER}@"), pool_size=1)
    try:
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.exec_driver_sql("SET synchronous_commit = off")
            await connection.exec_driver_sql("SET session_replication_role = replica")  # checks no reference
            for name, value in asdict(size).items():
                await connection.exec_driver_sql(f"SET bench.{name} = {value}")
            for statement in _STATEMENTS.read_text().split(";\n"):
                if statement.strip():
                    await connection.exec_driver_sql(statement)
            await connection.exec_driver_sql("VACUUM ANALYZE")
    finally:
        await database.close()
