"""A platform on real PostgreSQL and Valkey whose engine and router are the shipped stand-ins."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from towline.actions.capacity import BuildSlots
from towline.actions.deployments.attempt import Attempt, claim_next
from towline.actions.deployments.pipeline import run_deployment
from towline.actions.deployments.requests import DeploymentRequest, request_deployment, request_rollback
from towline.actions.environments import get_environment
from towline.actions.platform import Platform
from towline.builders.buildkit import BuildKit
from towline.builders.dockerfile import DockerfileBuilder
from towline.config import Settings
from towline.infra.counters import Counters
from towline.infra.database import Database
from towline.infra.disk_reserve import DiskReserve
from towline.infra.former_hosts import FormerHosts
from towline.infra.queue import Bell
from towline.infra.secrets import load_secret_box
from towline.infra.streams import Streams
from towline.models.accounts import User
from towline.models.deployments import Deployment
from towline.models.projects import Environment, Project, ProjectCollaborator
from towline.models.services import Service, Workload
from towline.names import new_id
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator
from towline.routing.memory import MemoryRouter
from towline.sources.base import Source
from towline.sources.custom import CustomSource
from towline.sources.git.source import GitSource
from towline.sources.platforms.source import PLATFORMS, PlatformSource
from towline.sources.push import PushSource
from towline.sources.upload import UploadSource
from towline.storage.dumps import LocalDumps
from towline.storage.local import LocalStorage
from towline.storage.uploads import LocalUploads
from towline.values import DeploymentStatus
from towline.wiring import make_repositories


@asynccontextmanager
async def stand_in_platform(
    folder: Path, *, postgres_url: str, redis_url: str, **overrides: Any
) -> AsyncGenerator[Platform]:
    """A platform for one test; `overrides` are settings."""
    values: dict[str, Any] = {
        "data_dir": folder,
        "database_url": postgres_url,
        "redis_url": redis_url,
        "installation_id": "test",
        "internal_address": "127.0.0.1",
        "drain": timedelta(),
        "drain_limit": timedelta(),
        "stop_grace": timedelta(),
        "health_timeout": timedelta(seconds=3),
    }
    platform = _platform(Settings(**{**values, **overrides}))
    async with platform.orchestrator.session(), platform.router.session():
        try:
            yield platform
        finally:
            await platform.counters.close()
            await platform.streams.close()
            await platform.database.close()


def _platform(settings: Settings) -> Platform:
    storage, uploads_dir = LocalStorage(settings.artifacts_dir), settings.data_dir / "uploads"
    scratch = settings.data_dir / "tmp"
    streams = Streams(settings.redis_url)
    git = GitSource(storage.store_tree, scratch)
    sources: list[Source] = [
        CustomSource(storage.store_tree, scratch),
        UploadSource(storage.store_tree, uploads_dir),
        PushSource(storage.store_tree, scratch, settings.repositories_dir),
        git,
        *(PlatformSource(platform, git) for platform in PLATFORMS),
    ]
    return Platform(
        settings=settings,
        database=Database(settings.database_url, pool_size=5),
        streams=streams,
        bell=Bell(streams),
        secrets=load_secret_box(settings.key_file),
        sources={source.kind: source for source in sources},
        builder=DockerfileBuilder(BuildKit()),
        orchestrator=MemoryOrchestrator(),
        router=MemoryRouter(),
        storage=storage,
        uploads=LocalUploads(uploads_dir, max_bytes=settings.upload_max_bytes, reserve=DiskReserve(settings.data_dir)),
        counters=Counters(settings.redis_url),
        dumps=LocalDumps(settings.backups_dir),
        repositories=make_repositories(settings),
        former_hosts=FormerHosts(settings.data_dir, current=settings.effective_platform_host),
        build_slots=BuildSlots(settings),
    )


@dataclass
class World:
    """One project with one web service, and what a worker would do, step by step and without one."""

    platform: Platform
    user: User
    project: Project
    service: Service
    environment: Environment

    async def request(self, image: str = "app:1", **values: Any) -> Deployment:
        """Queue a deployment of an image."""
        async with self.platform.database.transaction() as work:
            request = DeploymentRequest(
                requested_by=self.user.id, source_type="custom", source_config={"image": image}, **values
            )
            return await request_deployment(
                self.platform,
                work,
                project=self.project,
                service=self.service,
                environment=self.environment,
                request=request,
            )

    async def request_rollback(self, release_number: int | None = None) -> Deployment:
        """Queue a rollback."""
        async with self.platform.database.transaction() as work:
            return await request_rollback(
                self.platform,
                work,
                project=self.project,
                service=self.service,
                environment=self.environment,
                release_number=release_number,
                requested_by=self.user.id,
            )

    async def run_next(self, register: "dict[str, Attempt] | None" = None) -> Deployment:
        """Claim the next deployment and run it to its end."""
        deployment = await claim_next(self.platform)
        assert deployment is not None
        await run_deployment(self.platform, deployment, {} if register is None else register)
        return await self.get_deployment(deployment.id)

    async def deploy(self, image: str = "app:1") -> Deployment:
        """Request and run."""
        await self.request(image)
        return await self.run_next()

    async def deploy_successfully(self, image: str = "app:1") -> Deployment:
        """Request, run, and insist on success."""
        deployment = await self.deploy(image)
        assert deployment.status == DeploymentStatus.SUCCESS, deployment.error
        return deployment

    async def get_deployment(self, deployment_id: str) -> Deployment:
        """A deployment as it is now."""
        async with self.platform.database.transaction() as work:
            deployment = await work.session.get(Deployment, deployment_id)
        assert deployment is not None
        return deployment

    async def get_workload(self) -> Workload:
        """The service's workload in production as it is now."""
        query = select(Workload).where(Workload.service_id == self.service.id)
        async with self.platform.database.transaction() as work:
            return (await work.session.scalars(query)).one()

    async def wait_for_step(self, deployment_id: str, step: str) -> None:
        """Return once the deployment is in this step."""
        async with asyncio.timeout(10):
            while (deployment := await self.get_deployment(deployment_id)).step != step:
                assert deployment.finished_at is None, deployment.error
                await asyncio.sleep(0.01)

    async def change_service(self, **values: Any) -> None:
        """Set columns of the service."""
        async with self.platform.database.transaction() as work:
            service = await work.session.get(Service, self.service.id)
            assert service is not None
            for name, value in values.items():
                setattr(service, name, value)
        self.service = service

    def servers(self) -> set[str]:
        """Addresses that the router sends the service's public requests to."""
        router = self.platform.router
        assert isinstance(router, MemoryRouter)
        routes = router.routes.get(self.environment.id, ())
        return {server for route in routes if not route.internal_from for server in route.servers}


async def make_world(platform: Platform, *, name: str = "shop", **service_values: Any) -> World:
    """A project `shop` with the web service `web` and its owner."""
    async with platform.database.transaction() as work:
        user = User(id=new_id("usr"), email=f"{name}@example.test")
        work.session.add(user)
        await work.session.flush()
        project = Project(id=new_id("prj"), name=name, owner_id=user.id)
        work.session.add(project)
        await work.session.flush()
        work.session.add(ProjectCollaborator(project_id=project.id, user_id=user.id, role="owner"))
        values: dict[str, Any] = {"name": "web", "type": "web", "source_type": "custom", "port": 8080, **service_values}
        service = Service(id=new_id("svc"), project_id=project.id, **values)
        work.session.add(service)
        await work.session.flush()
        environment = await get_environment(work, project.id, "production")
    return World(platform, user, project, service, environment)
