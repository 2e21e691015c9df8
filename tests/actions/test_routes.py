"""Generated hosts: unique, and never one of Towline's own."""

from pathlib import Path

from sqlalchemy import select, update
from tests.stand_ins import make_world, stand_in_platform

from towline.models.projects import Project
from towline.models.services import Route


async def test_no_base_domain_makes_a_host_of_towline_s_own(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    async with stand_in_platform(
        tmp_path, postgres_url=postgres_url, redis_url=redis_url, base_domain="apps.example.com"
    ) as platform:
        world = await make_world(platform, name="apps")
        await world.change_service(name="apps")
        async with platform.database.transaction() as work:
            await work.session.execute(update(Project).values(base_domain="example.com"))
            world.project.base_domain = "example.com"
        await world.request()
        async with platform.database.transaction() as work:
            hosts = list(await work.session.scalars(select(Route.host)))

    assert hosts == [f"apps-{world.service.id[-8:]}.example.com"]
