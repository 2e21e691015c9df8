"""The rows one deployment works on, read once, and the run specification made from them."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from towline.actions.platform import Platform
from towline.actions.routes import internal_host, to_route_value
from towline.actions.settings import RunSettings, run_settings, volume_name
from towline.actions.variables import open_frozen
from towline.infra.database import Work
from towline.models.deployments import Release
from towline.models.projects import Environment, Project
from towline.models.services import Route, Service, Workload
from towline.values import RunSpec, ServiceType, VolumeMount

DEFAULT_PORT = 8080
"""Value of PORT for a web service whose port is not known yet."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is deployed, and where."""

    project: Project
    service: Service
    environment: Environment
    workload: Workload

    @property
    def is_web(self) -> bool:
        """Whether requests are routed to the service."""
        return self.service.type == ServiceType.WEB

    @property
    def title(self) -> str:
        """`project/service (environment)`."""
        return f"{self.project.name}/{self.service.name} ({self.environment.name})"


async def load_job(work: Work, workload_id: str) -> Job:
    """The rows behind a workload."""
    return (await load_jobs(work, [workload_id]))[workload_id]


async def load_jobs(work: Work, workload_ids: Collection[str]) -> dict[str, Job]:
    """The rows behind workloads, by workload."""
    query = (
        select(Project, Service, Environment, Workload)
        .join(Workload, Workload.project_id == Project.id)
        .join(Service, Service.id == Workload.service_id)
        .join(Environment, Environment.id == Workload.environment_id)
        .where(Workload.id.in_(workload_ids))
    )
    rows = await work.session.execute(query)
    return {
        workload.id: Job(project, service, environment, workload) for project, service, environment, workload in rows
    }


async def list_service_names(work: Work, project_id: str) -> list[str]:
    """Names of a project's web services, which instances can reach by `NAME.internal`."""
    query = select(Service.name).where(
        Service.project_id == project_id, Service.deleted_at.is_(None), Service.type == ServiceType.WEB
    )
    return list(await work.session.scalars(query))


async def make_run_spec(platform: Platform, job: Job, release: Release, *, deployment_id: str) -> RunSpec:
    """Everything an orchestrator needs to start instances of a release; from frozen settings and variables only."""
    async with platform.database.transaction() as work:
        services = await list_service_names(work, job.project.id)
        query = select(Route).where(Route.workload_id == job.workload.id).order_by(Route.id)
        routes = [to_route_value(route, servers=()) for route in await work.session.scalars(query)]
    settings = run_settings(release.run)
    frozen = open_frozen(platform, release.variables, release_id=release.id)
    variables = {name: variable.value for name, variable in frozen.items() if not variable.mount_path}
    gateway = platform.settings.internal_address
    labels = platform.router.instance_labels(
        project_id=job.project.id,
        service_id=job.service.id,
        routes=routes,
        port=release.port or release.image_port or DEFAULT_PORT,
    )
    return RunSpec(
        workload_id=job.workload.id,
        project_id=job.project.id,
        service_id=job.service.id,
        environment_id=job.environment.id,
        release_id=release.id,
        release_number=release.number,
        deployment_id=deployment_id,
        project=job.project.name,
        service=job.service.name,
        environment=job.environment.name,
        image=release.image,
        network=job.environment.network,
        command=settings.start_command,
        variables=_with_platform_variables(variables, job, release),
        port=release.port,
        aliases=(job.service.name,),
        hosts={internal_host(name): gateway for name in services} if gateway else {},
        volumes=_volumes(job, settings),
        files={variable.mount_path: variable.value for variable in frozen.values() if variable.mount_path},
        limits=settings.limits(platform.settings),
        stop_grace=settings.stop_grace(platform.settings),
        labels=labels,
    )


def _with_platform_variables(variables: dict[str, str], job: Job, release: Release) -> dict[str, str]:
    own = {
        "TOWLINE_PROJECT": job.project.name,
        "TOWLINE_SERVICE": job.service.name,
        "TOWLINE_ENVIRONMENT": job.environment.name,
        "TOWLINE_RELEASE": str(release.number),
        "TOWLINE_COMMIT": release.commit_sha,
    }
    if job.is_web:
        own["PORT"] = str(release.port or release.image_port or DEFAULT_PORT)
    return {**own, **variables}


def _volumes(job: Job, settings: RunSettings) -> tuple[VolumeMount, ...]:
    return tuple(VolumeMount(volume_name(job.workload.id, volume.name), volume.path) for volume in settings.volumes)
