"""A project of a web service that needs a database, both in an environment that may fall asleep."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.stand_ins import World

from towline.actions.dependencies import put_dependency
from towline.actions.reconcile import reconcile_all
from towline.actions.sleep import ask_for
from towline.actions.sleeping.activity import Activity
from towline.actions.sleeping.waking import wake_up
from towline.models.base import utc_now
from towline.models.projects import Environment
from towline.models.services import Route, Service, Workload
from towline.names import new_id
from towline.routing.memory import MemoryRouter
from towline.values import Route as RouteValue

SLEEPS_AFTER = 600


@dataclass
class Bedroom:
    """The two services, and what the conductor would do, step by step."""

    web: World
    database: World
    activity: Activity

    @property
    def router(self) -> MemoryRouter:
        """The stand-in."""
        router = self.web.platform.router
        assert isinstance(router, MemoryRouter)
        return router

    async def look_later(self, seconds: float = SLEEPS_AFTER + 1) -> None:
        """What the conductor does at a later time."""
        await self.activity.look(now=utc_now() + timedelta(seconds=seconds))

    async def settle(self) -> None:
        """What rings are answered with: reconciled until nothing changes any more."""
        await reconcile_all(self.web.platform)

    async def fall_asleep(self) -> None:
        """Sleep through, until nothing runs."""
        await self.look_later()
        await self.settle()
        await self.look_later()
        await self.settle()

    async def wake(self, *, most_steps: int = 10) -> None:
        """Ask for the environment and take every step until it is awake."""
        await self.ask()
        for _ in range(most_steps):
            if not await wake_up(self.web.platform):
                return
            await self.settle()
        raise AssertionError("it did not wake up")

    async def ask(self) -> None:
        """What the waker does with a request."""
        async with self.web.platform.database.transaction() as work:
            await ask_for(self.web.platform, work, self.web.environment.id)

    async def wanted(self) -> dict[str, str]:
        """What is wanted of each workload, by name of the service."""
        query = select(Service.name, Workload.wanted).join(Workload, Workload.service_id == Service.id)
        async with self.web.platform.database.transaction() as work:
            return dict((await work.session.execute(query)).all())

    async def environment(self) -> Environment:
        """The environment as it is now."""
        query = select(Environment).where(Environment.id == self.web.environment.id)
        async with self.web.platform.database.transaction() as work:
            return (await work.session.scalars(query)).one()

    async def change(self, **values: Any) -> None:
        """Set columns of the environment."""
        statement = update(Environment).where(Environment.id == self.web.environment.id).values(**values)
        async with self.web.platform.database.transaction() as work:
            await work.session.execute(statement)

    async def route_key(self) -> str:
        """The key of the public route."""
        async with self.web.platform.database.transaction() as work:
            return (await work.session.scalars(select(Route.id))).one().replace("_", "-")

    async def running(self) -> set[str]:
        """Names of services of which an instance runs."""
        services = {self.web.service.id: "web", self.database.service.id: "db"}
        found = await self.web.platform.orchestrator.list_instances()
        workloads = {await self._service_of(item.workload_id) for item in found}
        return {services[one] for one in workloads}

    def public_route(self) -> RouteValue:
        """The public route as the router has it."""
        [route] = [one for one in self.router.routes[self.web.environment.id] if not one.internal_from]
        return route

    async def _service_of(self, workload_id: str) -> str:
        async with self.web.platform.database.transaction() as work:
            workload = await work.session.get(Workload, workload_id)
        assert workload is not None
        return workload.service_id


@pytest.fixture
async def bedroom(world: World) -> Bedroom:
    """Both services deployed; nothing sleeps before the setting is made."""
    values: dict[str, Any] = {"name": "db", "type": "database", "source_type": "custom", "port": 5432}
    values["run"] = {"health": {"kind": "command", "command": ["true"]}}
    needed = Service(id=new_id("svc"), project_id=world.project.id, **values)
    async with world.platform.database.transaction() as work:
        work.session.add(needed)
        await work.session.flush()
        await put_dependency(world.platform, work, world.service, needed, is_cascading=False)
    database = replace(world, service=needed)
    await database.deploy_successfully("db:1")
    await world.deploy_successfully("app:1")
    bedroom = Bedroom(world, database, Activity(world.platform))
    await bedroom.change(sleeps_after=SLEEPS_AFTER)
    await bedroom.activity.look()
    return bedroom
