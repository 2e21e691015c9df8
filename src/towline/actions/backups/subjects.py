"""What a backup is of: a service in an environment."""

from dataclasses import dataclass

from sqlalchemy import select

from towline.actions.environments import get_environment
from towline.actions.workloads import lock_workload
from towline.infra.database import Work
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload


@dataclass(frozen=True, slots=True)
class Subject:
    """The rows of a service in an environment."""

    project: Project
    service: Service
    environment: Environment
    workload: Workload

    @property
    def title(self) -> str:
        """`project/service (environment)`."""
        return f"{self.project.name}/{self.service.name} ({self.environment.name})"


async def lock_subject(work: Work, *, project: Project, service: Service, environment: str) -> Subject:
    """The rows behind the names, the workload's locked; it is made when it is not there yet."""
    found = await get_environment(work, project.id, environment)
    workload = await lock_workload(work, project=project, service=service, environment=found)
    return Subject(project, service, found, workload)


async def load_subject(work: Work, workload_id: str) -> Subject:
    """The rows behind a workload."""
    query = (
        select(Project, Service, Environment, Workload)
        .join(Workload, Workload.project_id == Project.id)
        .join(Service, Service.id == Workload.service_id)
        .join(Environment, Environment.id == Workload.environment_id)
        .where(Workload.id == workload_id)
    )
    return Subject(*(await work.session.execute(query)).one())
