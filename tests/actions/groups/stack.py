"""A project of several services on stand-ins, and what a worker would do with its groups, step by step."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from tests.stand_ins import World

from towline.actions.access import Caller
from towline.actions.dependencies import put_dependency
from towline.actions.deploying import Place, Wanted, deploy
from towline.actions.deployments.attempt import Attempt, claim_next
from towline.actions.deployments.pipeline import run_deployment
from towline.actions.groups.attempt import GroupAttempt, claim_next_group
from towline.actions.groups.requests import request_group
from towline.actions.groups.rollbacks import request_group_rollback
from towline.actions.groups.run import run_group
from towline.actions.platform import Platform
from towline.models.base import utc_now
from towline.models.deployments import Deployment, Release
from towline.models.groups import Group
from towline.models.services import Instance, Route, Service, Workload
from towline.names import new_id
from towline.routing.memory import MemoryRouter
from towline.values import DeploymentStatus


@dataclass
class Stack:
    """The services of a world's project by name; the world's own `web` is one of them."""

    world: World
    services: dict[str, Service]

    @property
    def platform(self) -> Platform:
        """The platform."""
        return self.world.platform

    @property
    def caller(self) -> Caller:
        """The project's owner."""
        return Caller(self.world.user.id)

    async def add(self, name: str, *needs: str, cascades: bool = False, **values: Any) -> Service:
        """Another service, with what it needs."""
        facts: dict[str, Any] = {"type": "web", "source_type": "custom", "port": 8080, **values}
        service = Service(id=new_id("svc"), project_id=self.world.project.id, name=name, **facts)
        async with self.platform.database.transaction() as work:
            work.session.add(service)
        self.services[name] = service
        for need in needs:
            await self.depend(name, need, cascades=cascades)
        return service

    async def depend(self, name: str, need: str, *, cascades: bool = False) -> None:
        """Let a service need another."""
        async with self.platform.database.transaction() as work:
            await put_dependency(self.platform, work, self.services[name], self.services[need], is_cascading=cascades)

    async def request(self, images: Mapping[str, str], *, no_cache: bool = False) -> Group:
        """Queue a group of images by service; with `no_cache` each is made by itself first, as a build is."""
        wanted = {self.services[name].id: Wanted(image=image, no_cache=no_cache) for name, image in images.items()}
        async with self.platform.database.transaction() as work:
            return await request_group(
                self.platform,
                work,
                project=self.world.project,
                environment=self.world.environment,
                wanted=wanted,
                caller=self.caller,
            )

    async def request_rollback(self, group_id: str | None = None) -> Group:
        """Queue a rollback of groups."""
        async with self.platform.database.transaction() as work:
            return await request_group_rollback(
                self.platform,
                work,
                project=self.world.project,
                environment=self.world.environment,
                group_id=group_id,
                requested_by=self.world.user.id,
            )

    async def request_one(self, name: str, image: str = "app:1") -> Deployment:
        """Queue a deployment of one service, as a person would."""
        place = Place(self.world.project, self.services[name], self.world.environment)
        async with self.platform.database.transaction() as work:
            return await deploy(self.platform, work, place, wanted=Wanted(image=image), caller=self.caller)

    async def work(self, *, at_once: int = 4) -> None:
        """What workers do until nothing is left to be done, a few deployments and groups side by side."""
        attempts: dict[str, Attempt] = {}
        groups: dict[str, GroupAttempt] = {}
        running: set[asyncio.Task[None]] = set()
        async with asyncio.timeout(60):
            while True:
                while (claimed := await claim_next_group(self.platform)) is not None:
                    running.add(asyncio.create_task(run_group(self.platform, claimed, groups)))
                while len(running) < at_once and (deployment := await claim_next(self.platform)) is not None:
                    running.add(asyncio.create_task(run_deployment(self.platform, deployment, attempts)))
                if not running:
                    return
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED, timeout=0.05)
                for task in done:
                    task.result()
                for attempt in [*attempts.values(), *groups.values()]:
                    attempt.nudge()

    async def build(self) -> None:
        """Build every member that waits, and leave their groups alone."""
        while (deployment := await claim_next(self.platform)) is not None:
            await run_deployment(self.platform, deployment, {})

    async def deploy(self, images: Mapping[str, str]) -> Group:
        """Request a group and run it to its end."""
        group = await self.request(images)
        await self.work()
        return await self.get_group(group.id)

    async def get_group(self, group_id: str) -> Group:
        """A group as it is now."""
        async with self.platform.database.transaction() as work:
            return await work.session.get_one(Group, group_id)

    async def get_members(self, group_id: str) -> dict[str, Deployment]:
        """The deployments of a group by service."""
        query = select(Service.name, Deployment).join(Service).where(Deployment.group_id == group_id)
        async with self.platform.database.transaction() as work:
            return {row.name: row.Deployment for row in await work.session.execute(query)}

    async def get_all(self, name: str) -> list[Deployment]:
        """The deployments of a service, oldest first."""
        query = select(Deployment).where(Deployment.service_id == self.services[name].id).order_by(Deployment.number)
        async with self.platform.database.transaction() as work:
            return list(await work.session.scalars(query))

    async def images(self) -> dict[str, str]:
        """The image that each service's wanted release has."""
        query = (
            select(Service.name, Release.image)
            .join(Workload, Workload.service_id == Service.id)
            .join(Release, Release.id == Workload.release_id)
        )
        async with self.platform.database.transaction() as work:
            return {row.name: row.image for row in await work.session.execute(query)}

    async def served(self) -> dict[str, str]:
        """The image behind each service's public host, as the router has it; empty where nobody serves."""
        router = self.platform.router
        assert isinstance(router, MemoryRouter)
        shown = {route.host: set(route.servers) for route in router.routes.get(self.world.environment.id, ())}
        query = select(Instance.address, Instance.port, Release.image).join(Release, Release.id == Instance.release_id)
        hosts = select(Service.name, Route.host).join(Workload, Workload.service_id == Service.id)
        async with self.platform.database.transaction() as work:
            images = {f"http://{row[0]}:{row[1]}": row[2] for row in await work.session.execute(query)}
            named = (await work.session.execute(hosts.join(Route, Route.workload_id == Workload.id))).all()
        return {name: ",".join(images[one] for one in shown.get(host, ())) for name, host in named}

    async def expire_leases(self) -> None:
        """Let every worker count as dead."""
        past = utc_now().replace(year=2000)
        async with self.platform.database.transaction() as work:
            is_held = Group.lease_until.is_not(None)
            await work.session.execute(update(Group).where(is_held).values(lease_until=past))
            running = Deployment.status.in_(("building", "deploying"))
            await work.session.execute(
                update(Deployment).where(running, Deployment.lease_until.is_not(None)).values(lease_until=past)
            )


def ended(group: Group) -> str:
    """How a group ended, with its reason."""
    assert DeploymentStatus(group.status).is_final
    return f"{group.status} {(group.error or {}).get('message', '')}".strip()
