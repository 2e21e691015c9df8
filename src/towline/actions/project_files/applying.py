"""Applying: exactly the plan that was shown, in one transaction, or nothing."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text

from towline.actions.access import Caller
from towline.actions.configuration.places import Place
from towline.actions.configuration.settings import (
    WantedVariable,
    delete_variable,
    get_variable,
    reveal,
    set_variables,
)
from towline.actions.dependencies import delete_dependency, put_dependency
from towline.actions.deploying import Wanted
from towline.actions.domains import WantedRoute, add_route, delete_route
from towline.actions.environments import get_environment
from towline.actions.groups.requests import request_group
from towline.actions.platform import Platform
from towline.actions.previews.settings import set_rules
from towline.actions.project_files.difference import Difference
from towline.actions.project_files.planning import Plan, Request
from towline.actions.project_files.state import UPLOAD, VariableState
from towline.actions.projects import update_project
from towline.actions.scaling import scale_workload
from towline.actions.services import create_service, delete_service, get_service, update_service
from towline.errors import Conflict
from towline.infra.database import Work
from towline.models.groups import Group
from towline.models.projects import Project
from towline.models.services import Route, Service, Workload
from towline.values import ServiceType

_GENERATED_BYTES = 24
_ORDER = ("project", "service", "dependency", "variable", "domain", "previews")


def check_fingerprint(plan: Plan, fingerprint: str) -> None:
    """Return when the plan is the one that was shown; Conflict when the world has moved since."""
    if plan.fingerprint != fingerprint:
        raise Conflict(
            "The project is not as it was when the plan was made.", hint="Make the plan again and look at it."
        )


async def lock_name(work: Work, name: str) -> None:
    """Let no other apply to the project of this name run until the end of the transaction."""
    await work.session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 29))"), {"name": name})


@dataclass(frozen=True, slots=True)
class Application:
    """A plan being carried out on a project that is there."""

    platform: Platform
    work: Work
    project: Project
    caller: Caller
    plan: Plan
    request: Request

    async def make_changes(self) -> None:
        """Make every change; services before what belongs to them, deletions of services last."""
        changes = [item for item in self.plan.differences if item.is_change]
        deletions = [item for item in changes if item.kind == "service" and item.action == "delete"]
        for kind in _ORDER:
            # What goes makes room for what comes: a domain may move from one service to another.
            mine = [item for item in changes if item.kind == kind and item not in deletions]
            for item in sorted(mine, key=lambda item: item.action != "delete"):
                await getattr(self, f"_change_{kind}")(item)
        for item in deletions:
            await delete_service(self.platform, self.work, await self._service(item.service))

    async def deploy(self) -> Group | None:
        """Ask for one group of everything that needs a deployment."""
        names = [name for step in self.plan.deploys for name in step]
        if not names:
            return None
        wanted: dict[str, Wanted] = {}
        for name in names:
            service = await self._service(name)
            upload = self.request.upload if service.source_type == UPLOAD else ""
            wanted[service.id] = Wanted(upload=upload)
        environment = await get_environment(self.work, self.project.id, self.request.environment)
        return await request_group(
            self.platform,
            self.work,
            project=self.project,
            environment=environment,
            wanted=wanted,
            caller=self.caller,
        )

    async def _change_project(self, item: Difference) -> None:
        if item.action == "update":
            changes: Mapping[str, str] = {name: after for name, _, after in item.fields}
            await update_project(self.platform, self.work, self.project, changes)

    async def _change_service(self, item: Difference) -> None:
        settings = self.plan.wanted.services[item.service].settings
        if item.action == "create":
            await create_service(self.platform, self.work, self.project, {"name": item.service, **settings})
            return
        service = await self._service(item.service)
        changes = {name: after for name, _, after in item.fields}
        await update_service(self.platform, self.work, self.project, service, changes)
        if "replicas" in changes and service.type != ServiceType.CRON and await self._runs(service):
            environment = await get_environment(self.work, self.project.id, self.request.environment)
            await scale_workload(
                self.platform,
                self.work,
                project=self.project,
                service=service,
                environment=environment,
                replicas=changes["replicas"],
            )

    async def _change_dependency(self, item: Difference) -> None:
        service, needed = await self._service(item.service), await self._service(item.name)
        if item.action == "delete":
            await delete_dependency(self.platform, self.work, service, needed)
        else:
            cascades = self.plan.wanted.services[item.service].needs[item.name]
            await put_dependency(self.platform, self.work, service, needed, is_cascading=cascades)

    async def _change_variable(self, item: Difference) -> None:
        service = await self._service(item.service) if item.service else None
        place = Place(self.project, service, is_preview=item.is_of_previews)
        if item.action == "delete":
            await delete_variable(self.platform, self.work, place, item.name, caller=self.caller)
            return
        state = self._wanted_variable(item)
        value = state.value
        if value is None and item.action == "create":
            value = secrets.token_urlsafe(_GENERATED_BYTES)
        elif value is None:
            value = reveal(self.platform, await get_variable(self.work, place, item.name))
        wanted = WantedVariable(item.name, value, state.is_secret, state.kinds, state.mount_path)
        await set_variables(self.platform, self.work, place, [wanted], caller=self.caller)

    async def _change_previews(self, item: Difference) -> None:
        del item
        await set_rules(self.platform, self.work, self.project, self.plan.wanted.preview_rules or {})

    async def _change_domain(self, item: Difference) -> None:
        assert item.domain is not None
        environment_name, host, path = item.domain
        service = await self._service(item.service)
        environment = await get_environment(self.work, self.project.id, environment_name)
        if item.action != "create":
            route_id = await self._route_id(service, environment.id, host=host, path=path)
            await delete_route(self.platform, self.work, service, route_id)
            await self.work.session.flush()
        if item.action != "delete":
            state = self.plan.wanted.services[item.service].domains[item.domain]
            wanted = WantedRoute(
                host,
                path,
                strip_prefix=state.strip_path,
                has_certificate=state.certificate == "auto",
                redirect_to_https=state.redirect_to_https,
            )
            await add_route(
                self.platform,
                self.work,
                project=self.project,
                service=service,
                environment=environment,
                wanted=wanted,
            )

    def _wanted_variable(self, item: Difference) -> VariableState:
        wanted = self.plan.wanted
        if item.is_of_previews:
            return wanted.preview_variables[item.name]
        return (wanted.services[item.service].variables if item.service else wanted.variables)[item.name]

    async def _service(self, name: str) -> Service:
        return await get_service(self.work.session, self.project.id, name)

    async def _runs(self, service: Service) -> bool:
        query = select(Workload.id).where(Workload.service_id == service.id, Workload.release_id.is_not(None))
        return await self.work.session.scalar(query.limit(1)) is not None

    async def _route_id(self, service: Service, environment_id: str, *, host: str, path: str) -> Any:
        query = (
            select(Route.id)
            .join(Workload, Workload.id == Route.workload_id)
            .where(Workload.service_id == service.id, Workload.environment_id == environment_id)
            .where(Route.host == host, Route.path_prefix == path)
        )
        return (await self.work.session.scalars(query)).one()
