"""What tests of previews do with a stack: make previews, look at them, and let the conductor have its turns."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from tests.actions.groups.stack import Stack

from towline.actions.previews.creating import NewPreview, approve_preview, create_preview, update_preview
from towline.actions.previews.keeping import look_after_previews
from towline.actions.previews.removing import request_removal
from towline.actions.reconcile import reconcile_all
from towline.infra.database import Work
from towline.models.previews import Preview
from towline.models.projects import Environment, Project
from towline.models.services import Workload
from towline.routing.memory import MemoryRouter
from towline.values import Route


@dataclass
class Scene:
    """Previews of a stack."""

    stack: Stack

    async def create(self, name: str = "try", **values: Any) -> Preview:
        """Make a preview and deploy it to the end."""
        async with self.stack.platform.database.transaction() as work:
            project = await work.session.get_one(Project, self.stack.world.project.id)
            given: dict[str, Any] = {"main": "web", **values}
            wanted = NewPreview(name=name, **given)
            preview = await create_preview(self.stack.platform, work, project, wanted, caller=self.stack.caller)
        await self.stack.work()
        return preview

    async def update(self, work: Work, project: Project, preview: Preview, **values: Any) -> None:
        """Queue another deployment."""
        await update_preview(self.stack.platform, work, project, preview, caller=self.stack.caller, **values)

    async def approve(self, preview: Preview, revision: str) -> None:
        """Let a commit of a fork run."""
        async with self.stack.platform.database.transaction() as work:
            project = await work.session.get_one(Project, preview.project_id)
            found = await work.session.get_one(Preview, preview.id)
            await approve_preview(
                self.stack.platform, work, project, found, revision=revision, caller=self.stack.caller
            )

    async def remove(self, preview: Preview) -> None:
        """Ask for the removal."""
        async with self.stack.platform.database.transaction() as work:
            found = await work.session.get_one(Preview, preview.id)
            await request_removal(self.stack.platform, work, found)

    async def settle(self) -> None:
        """As many turns of the conductor as a removal takes: instances, then volumes and networks, then rows."""
        for _ in range(3):
            await reconcile_all(self.stack.platform)
        await look_after_previews(self.stack.platform)

    async def find(self, preview: Preview) -> Preview | None:
        """The preview's row as it is now."""
        async with self.stack.platform.database.transaction() as work:
            return await work.session.get(Preview, preview.id)

    async def environment(self, preview: Preview) -> Environment:
        """The preview's environment as it is now."""
        async with self.stack.platform.database.transaction() as work:
            return await work.session.get_one(Environment, preview.environment_id)

    async def workloads(self, environment_id: str) -> dict[str, Workload]:
        """Workloads of an environment by name of the service."""
        names = {service.id: name for name, service in self.stack.services.items()}
        query = select(Workload).where(Workload.environment_id == environment_id)
        async with self.stack.platform.database.transaction() as work:
            return {names[row.service_id]: row for row in await work.session.scalars(query)}

    def routes(self, environment_id: str) -> dict[str, Route]:
        """What the router has for an environment, by host."""
        router = self.stack.platform.router
        assert isinstance(router, MemoryRouter)
        return {route.host: route for route in router.routes.get(environment_id, ())}
