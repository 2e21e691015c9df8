"""Certificates of previews: a wildcard where there is one, else so many a week, else the reason."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from tests.stand_ins import World, make_world, stand_in_platform

from towline.actions.domains import list_certificate_problems, list_routes
from towline.actions.environments import add_environment
from towline.models.base import utc_now
from towline.models.preview_certificates import PreviewCertificate
from towline.models.services import Route
from towline.values import EnvironmentKind

SETTINGS: dict[str, Any] = {"base_domain": "apps.example.com", "acme_email": "ops@example.com"}


@asynccontextmanager
async def certified(folder: Path, postgres_url: str, redis_url: str, **settings: Any) -> AsyncGenerator[World]:
    """A project on a platform that asks for certificates."""
    values = {**SETTINGS, **settings}
    async with stand_in_platform(folder, postgres_url=postgres_url, redis_url=redis_url, **values) as platform:
        yield await make_world(platform)


async def _deploy_preview(world: World, name: str) -> tuple[Route, str]:
    """The route of a preview after a deployment was asked for, and why it has no certificate."""
    async with world.platform.database.transaction() as work:
        environment = await add_environment(work, world.project.id, name, kind=EnvironmentKind.PREVIEW)
    await replace(world, environment=environment).request()
    async with world.platform.database.transaction() as work:
        [route] = await list_routes(work.session, world.service, environment)
    [problem] = await list_certificate_problems(world.platform, [route], environment)
    return route, problem


async def test_a_wildcard_serves_every_preview(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    settings = {"acme_dns_provider": "cloudflare", "preview_certificates_per_week": 0}
    async with certified(tmp_path, postgres_url, redis_url, **settings) as world:
        for name in ("one", "two"):
            route, problem = await _deploy_preview(world, name)
            assert (route.certificate, problem) == ("wildcard", "")


async def test_a_wildcard_reaches_one_label_down_only(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    settings = {
        "acme_dns_provider": "cloudflare",
        "wildcard_domains": "other.example.com",
        "base_domain": "example.com",
    }
    async with certified(tmp_path, postgres_url, redis_url, **settings) as world:
        route, _ = await _deploy_preview(world, "one")
        assert route.certificate == "acme"


async def test_previews_do_not_use_up_the_certificates_of_a_week(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async with certified(tmp_path, postgres_url, redis_url, preview_certificates_per_week=1) as world:
        first, problem = await _deploy_preview(world, "one")
        assert (first.certificate, problem) == ("acme", "")
        second, problem = await _deploy_preview(world, "two")
        assert second.certificate == "default"
        assert "the 1 certificates of this week" in problem
        assert second.host in problem
        await world.request()
        async with world.platform.database.transaction() as work:
            query = select(Route.certificate).where(Route.host.not_in([first.host, second.host]))
            assert (await work.session.scalars(query)).all() == ["acme"]  # production does not count


async def test_a_later_week_brings_the_certificate_with_the_next_deployment(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async with certified(tmp_path, postgres_url, redis_url, preview_certificates_per_week=1) as world:
        await _deploy_preview(world, "one")
        await _deploy_preview(world, "two")
        async with world.platform.database.transaction() as work:
            earlier = utc_now() - timedelta(days=8)
            await work.session.execute(update(PreviewCertificate).values(asked_at=earlier))
        route, problem = await _deploy_preview(world, "two")
        assert (route.certificate, problem) == ("acme", "")


async def test_a_host_that_had_one_has_it_again(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    async with certified(tmp_path, postgres_url, redis_url, preview_certificates_per_week=1) as world:
        route, _ = await _deploy_preview(world, "one")
        async with world.platform.database.transaction() as work:
            await work.session.execute(update(Route).where(Route.id == route.id).values(certificate="default"))
        again, _ = await _deploy_preview(world, "one")
        assert again.certificate == "acme"
