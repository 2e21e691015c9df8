"""The gate of one service's repository: a push is let in once what it asks for is live."""

from dataclasses import dataclass

from sqlalchemy import select

from towline.actions.access import Caller
from towline.actions.audit import record
from towline.actions.deploying import Wanted, deploy, get_place
from towline.actions.deployments.requests import cancel_deployment
from towline.actions.hooks.rules import asks_to_skip
from towline.actions.platform import Platform
from towline.actions.previews.rules import rules_of
from towline.actions.pushes.following import follow_deployment
from towline.actions.pushes.previewing import deploy_to_preview, remove_preview_of
from towline.actions.pushes.rules import Plan, plan_push, short_name
from towline.errors import Conflict, NotFound, TooLarge
from towline.infra.database import Work
from towline.models.deployments import Deployment
from towline.models.projects import Environment, Project
from towline.models.services import Service
from towline.sources.base import FetchRequest
from towline.storage.base import Push, PushGate, RefChange, Say
from towline.values import OPEN_STATUSES, Bundle, DeploymentStatus, Trigger

PUSH_KIND = "push"
"""The source of services that are pushed to Towline itself."""


def check_takes_pushes(service: Service) -> None:
    """Return when a service is built from what is pushed to it; Conflict otherwise."""
    if service.source_type != PUSH_KIND:
        raise Conflict(
            f"{service.name} is built from the source {service.source_type!r}, and not from what is pushed here.",
            hint=f"Change that with `towline git-remote {service.name} --take-pushes`.",
        )


@dataclass(frozen=True)
class ServiceGate(PushGate):
    """Lets in what `caller`, whose permission was checked, pushes to a service."""

    platform: Platform
    caller: Caller
    service_id: str

    async def arrive(self, push: Push, say: Say) -> None:
        """What an earlier push still builds is superseded: its pusher is told so, and keeps nothing half done."""
        async with self.platform.database.transaction() as work:
            project, service = await self._get_service(work)
            plan = plan_push(service, rules_of(project), push.changes)
            for deployment in await _list_pushed(work, service, environment=plan.environment):
                if deployment.switched_at is None:
                    await cancel_deployment(self.platform, work, deployment, status=DeploymentStatus.SUPERSEDED)
                    await say(f"Deployment {deployment.number} of an earlier push is superseded.")

    async def decide(self, push: Push, say: Say) -> bool:
        """Whether the push is let in: at once when it deploys nothing, else when its deployment was a success."""
        async with self.platform.database.transaction() as work:
            project, service = await self._get_service(work)
        plan = plan_push(service, rules_of(project), push.changes)
        await self._check_room()
        for change in plan.kept:
            await say(await self._keep(change))
        if plan.deployed is None:
            return True
        bundle = await self._take_tree(service, push, plan.deployed.new, say)
        if asks_to_skip(bundle.message):
            await say("The commit asks to be skipped: nothing is deployed.")
            return True
        deployment_id = await self._request(plan, plan.deployed, bundle, say)
        return await follow_deployment(self.platform, deployment_id, say)

    async def _get_service(self, work: Work) -> tuple[Project, Service]:
        query = (
            select(Project, Service)
            .join(Service, Service.project_id == Project.id)
            .where(Service.id == self.service_id, Service.deleted_at.is_(None), Project.deleted_at.is_(None))
        )
        row = (await work.session.execute(query)).first()
        if row is None:
            raise NotFound("The service was deleted meanwhile.")
        project, service = row
        check_takes_pushes(service)
        return project, service

    async def _keep(self, change: RefChange) -> str:
        """What is said of a change that deploys nothing; with a branch its preview goes."""
        name = short_name(change.name)
        if change.new:
            return f"{name} is kept; it is deployed nowhere (see `branch` and `rules` of the service's source)."
        async with self.platform.database.transaction() as work:
            project, _ = await self._get_service(work)
            if await remove_preview_of(self.platform, work, project, branch=name):
                return f"{name} is deleted, and its preview with it."
        return f"{name} is deleted; what runs goes on running."

    async def _check_room(self) -> None:
        """Keep the repository bounded: what a forced push left behind goes first."""
        most, repositories = self.platform.settings.repository_max_bytes, self.platform.repositories
        if await repositories.measure(self.service_id) <= most:
            return
        await repositories.tidy(self.service_id, at_once=True)
        if await repositories.measure(self.service_id) > most:
            raise TooLarge(
                f"With this push the repository would have more than {most} bytes.",
                hint="Delete branches here, take large files out of the history, or ask for a higher limit.",
            )

    async def _take_tree(self, service: Service, push: Push, revision: str, say: Say) -> Bundle:
        settings = self.platform.settings
        request = FetchRequest(
            config=service.source_config,
            ref=revision,
            timeout=settings.fetch_timeout,
            max_bytes=settings.fetch_max_bytes,
            max_files=settings.fetch_max_files,
            service_id=service.id,
            quarantine=push.quarantine,
        )
        return await self.platform.sources[PUSH_KIND].fetch_source(request, say)

    async def _request(self, plan: Plan, change: RefChange, bundle: Bundle, say: Say) -> str:
        """Queue the deployment of a tree that is stored already: git forgets the objects of a push that is refused."""
        async with self.platform.database.transaction() as work:
            project, service = await self._get_service(work)
            deployment = await self._deploy(work, project, service, plan, change, bundle)
            deployment.bundle_digest, deployment.commit_sha = bundle.digest, bundle.revision
            deployment.commit_message = bundle.message.replace("\0", "")[:2000]
            detail = {"ref": change.name, "revision": bundle.revision, "deployment": deployment.id}
            record(work, self.caller, "git.push", project_id=project.id, object_id=service.id, detail=detail)
        where = f"{project.name}/{service.name} in {plan.environment or 'the preview of the branch'}"
        await say(f"Deployment {deployment.number} of {where}: {bundle.revision[:12]} of {short_name(change.name)}")
        return deployment.id

    async def _deploy(
        self, work: Work, project: Project, service: Service, plan: Plan, change: RefChange, bundle: Bundle
    ) -> Deployment:
        if not plan.environment:
            branch, caller = short_name(change.name), self.caller
            return await deploy_to_preview(
                self.platform, work, project, service, branch=branch, bundle=bundle, caller=caller
            )
        place = await get_place(work, project=project, service=service, environment=plan.environment)
        wanted = Wanted(ref=bundle.revision)
        return await deploy(self.platform, work, place, wanted=wanted, caller=self.caller, trigger=Trigger.PUSH)


async def _list_pushed(work: Work, service: Service, *, environment: str) -> list[Deployment]:
    query = (
        select(Deployment)
        .join(Environment, Environment.id == Deployment.environment_id)
        .where(Deployment.service_id == service.id, Environment.name == environment)
        .where(Deployment.status.in_(OPEN_STATUSES), Deployment.trigger == Trigger.PUSH.value)
        .where(Deployment.group_id.is_(None))
    )
    return list(await work.session.scalars(query.with_for_update(of=Deployment)))
