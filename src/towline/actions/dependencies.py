"""Dependencies between the services of a project: kept as edges, refused when they would close a circle."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import bindparam, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from towline.actions.events import emit
from towline.actions.graph.order import find_path
from towline.actions.platform import Platform
from towline.errors import DependencyCycle, InvalidInput, NotFound
from towline.infra.database import Work
from towline.infra.reads import ReadRows
from towline.models.base import utc_now
from towline.models.groups import ServiceDependency
from towline.models.services import Service


@dataclass(frozen=True, slots=True)
class Edge:
    """A service needs another; with `is_cascading` it is deployed again after a success of the other."""

    service_id: str
    needs_id: str
    is_cascading: bool


@dataclass(frozen=True, slots=True)
class ServiceGraph:
    """The services of a project by id, and who needs whom."""

    names: dict[str, str]
    edges: Sequence[Edge]

    @property
    def needs(self) -> dict[str, frozenset[str]]:
        """Each service and what it needs."""
        return {one: frozenset(edge.needs_id for edge in self.edges if edge.service_id == one) for one in self.names}

    @property
    def cascades(self) -> dict[str, frozenset[str]]:
        """Each service and those whose success deploys it again."""
        wanted = [edge for edge in self.edges if edge.is_cascading]
        return {one: frozenset(edge.needs_id for edge in wanted if edge.service_id == one) for one in self.names}


async def get_graph(work: Work, project_id: str) -> ServiceGraph:
    """The services of a project that are not deleted, and their dependencies."""
    services = await _services().fetch_in(work, project_id=project_id)
    edges = await _edges().fetch_in(work, project_id=project_id)
    return ServiceGraph({row.id: row.name for row in services}, [Edge(*edge) for edge in edges])


@cache
def _services() -> ReadRows:
    """Made once, as `_edges`: making it takes longer than running it."""
    mine = (Service.project_id == bindparam("project_id"), Service.deleted_at.is_(None))
    return ReadRows(select(Service.id, Service.name).where(*mine).order_by(Service.name))


@cache
def _edges() -> ReadRows:
    needed = aliased(Service)
    return ReadRows(
        select(ServiceDependency.service_id, ServiceDependency.depends_on_service_id, ServiceDependency.is_cascading)
        .join(Service, Service.id == ServiceDependency.service_id)
        .join(needed, needed.id == ServiceDependency.depends_on_service_id)
        .where(Service.project_id == bindparam("project_id"))
        .where(Service.deleted_at.is_(None), needed.deleted_at.is_(None))
        .order_by(Service.name, needed.name)
    )


async def put_dependency(
    platform: Platform, work: Work, service: Service, needed: Service, *, is_cascading: bool
) -> None:
    """Let a service need another of its project; DependencyCycle naming the path where that closes a circle."""
    if service.project_id != needed.project_id:
        raise InvalidInput(f"{needed.name} is of another project.", field="dependency")
    await _lock_graph(work, service.project_id)
    graph = await get_graph(work, service.project_id)
    if circle := find_path(graph.needs, needed.id, service.id):
        names = [service.name, *(graph.names[one] for one in circle)]
        raise DependencyCycle(f"{service.name} cannot need {needed.name}: {' → '.join(names)}.", field="dependency")
    values = {
        "service_id": service.id,
        "depends_on_service_id": needed.id,
        "is_cascading": is_cascading,
        "created_at": utc_now(),
    }
    statement = insert(ServiceDependency).values(values)
    key = ["service_id", "depends_on_service_id"]
    await work.session.execute(statement.on_conflict_do_update(index_elements=key, set_={"is_cascading": is_cascading}))
    _tell(platform, work, service)


async def delete_dependency(platform: Platform, work: Work, service: Service, needed: Service) -> None:
    """Let a service no longer need another; NotFound when it does not."""
    statement = (
        delete(ServiceDependency)
        .where(ServiceDependency.service_id == service.id, ServiceDependency.depends_on_service_id == needed.id)
        .returning(ServiceDependency.service_id)
    )
    if (await work.session.execute(statement)).first() is None:
        raise NotFound(f"{service.name} does not need {needed.name}.")
    _tell(platform, work, service)


async def _lock_graph(work: Work, project_id: str) -> None:
    """Let two changes at once not close a circle together."""
    await work.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:project, 19))"), {"project": project_id}
    )


def _tell(platform: Platform, work: Work, service: Service) -> None:
    emit(platform, work, "service.dependencies", project_id=service.project_id, service_id=service.id)
