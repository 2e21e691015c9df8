"""Services: the programs of a project; made, changed, deleted, and shown as they are in production."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import orjson
from sqlalchemy import BigInteger, Select, Text, and_, bindparam, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.backups.settings import check_backup_settings
from towline.actions.deletion import mark_deleted, publish_soon, retire_workloads
from towline.actions.deployments.make import build_secrets_context
from towline.actions.events import emit
from towline.actions.overview import addresses, to_urls
from towline.actions.platform import Platform
from towline.actions.routes import rename_generated_routes
from towline.actions.schedules import check_schedule
from towline.actions.service_sources import check_source, find_remote, open_build_secrets, seal_credential
from towline.actions.workloads import wanted_replicas
from towline.errors import Conflict, InvalidInput, NotFound
from towline.infra.database import Database, Work
from towline.infra.reads import Read
from towline.models.base import utc_now
from towline.models.projects import Environment, Project
from towline.models.services import Route, Service, Variable, Workload
from towline.models.variable_changes import VariableChange
from towline.models.webhook_secrets import WebhookSecret
from towline.names import new_id
from towline.values import EnvironmentKind, ServiceType

BUILD_FIELDS: Final = ("context", "target", "builder", "build_arguments", "watch_paths")
"""Kept in the JSON `build`, by the contract's names."""

RUN_FIELDS: Final = (
    "start_command",
    "release_command",
    "health",
    "replicas",
    "max_surge",
    "memory_bytes",
    "cpus",
    "stop_grace_seconds",
    "drain_seconds",
    "volumes",
    "backup",
    "schedule",
    "time_zone",
    "timeout_seconds",
)
"""Kept in the JSON `run`, by the contract's names."""

_COLUMNS: Final = ("name", "type", "dockerfile_path", "port")
_SHOWN_COLUMNS: Final = ("id", "project_id", "created_at", "updated_at")


async def get_service(session: AsyncSession, project_id: str, reference: str) -> Service:
    """A project's service by id or name; NotFound otherwise."""
    wanted = {"project_id": project_id, "reference": reference}
    service = (await session.scalars(_service_query(), wanted)).one_or_none()
    if service is None:
        raise NotFound(f"The project has no service {reference!r}.")
    return service


async def read_service(database: Database, project_id: str, reference: str) -> Service:
    """What `get_service` gives, by a statement compiled once and outside any transaction."""
    rows = await _service_read().fetch(database, project_id=project_id, reference=reference)
    if not rows:
        raise NotFound(f"The project has no service {reference!r}.")
    return Service(**rows[0])


async def create_service(platform: Platform, work: Work, project: Project, fields: Mapping[str, Any]) -> Service:
    """A new service from the contract's fields; Conflict when its name is taken, InvalidInput for its source."""
    await _check_name_is_free(work, project, fields["name"])
    service = Service(id=new_id("svc"), created_at=utc_now(), project_id=project.id, source_config={}, build={}, run={})
    _apply(platform, service, fields)
    work.session.add(service)
    await work.session.flush()
    emit(platform, work, "service.created", project_id=project.id, service_id=service.id)
    return service


async def update_service(
    platform: Platform, work: Work, project: Project, service: Service, changes: Mapping[str, Any]
) -> None:
    """Change the given fields; a new name gives its generated hosts new names, a type without hosts takes them away.

    A new remote forgets the credential of the old one unless one comes with it: it must not be sent elsewhere.
    """
    was = (service.name, service.type)
    await _check_new_type(work, service, changes.get("type", service.type))
    if changes.get("name", service.name) != service.name:
        await _check_name_is_free(work, project, changes["name"])
    remote = find_remote(service)
    _apply(platform, service, changes)
    if find_remote(service) != remote and "credential" not in changes:
        service.source_credential = None
    service.updated_at = utc_now()
    await work.session.flush()
    if service.type != was[1]:
        mine = (Workload.service_id == service.id) & Workload.release_id.is_(None)
        await work.session.execute(update(Workload).where(mine).values(replicas=wanted_replicas(service)))
    if (service.name, service.type) != was:
        await _move_routes(platform, work, service)
    emit(platform, work, "service.updated", project_id=project.id, service_id=service.id)


async def delete_service(platform: Platform, work: Work, service: Service) -> None:
    """Delete a service, all that runs of it, its variables with what they were, and its credentials."""
    await retire_workloads(platform, work, Workload.service_id == service.id)
    await work.session.execute(delete(Variable).where(Variable.service_id == service.id))
    await work.session.execute(delete(VariableChange).where(VariableChange.service_id == service.id))
    await work.session.execute(delete(WebhookSecret).where(WebhookSecret.service_id == service.id))
    service.source_credential = None
    service.build_secrets = None
    mark_deleted(service)
    emit(platform, work, "service.deleted", project_id=service.project_id, service_id=service.id)


async def list_services(
    platform: Platform, project_id: str, *, after: str | None, limit: int
) -> Sequence[dict[str, Any]]:
    """Services of a project by name, behind the name `after`; in the shape of the contract's Service."""
    rows = await _list_read().fetch(platform.database, project_id=project_id, after=after or "", most=limit)
    return [_view(platform, row) for row in rows]


async def get_service_view(platform: Platform, work: Work, service: Service) -> dict[str, Any]:
    """One service in the shape of the contract's Service; settings never given are left out."""
    (row,) = await _one_view().fetch_in(work, service_id=service.id)
    return _view(platform, row)


@cache
def _one_view() -> Read:
    """Made once, as the other statements here: making it takes longer than running it."""
    return Read(_select_views().where(Service.id == bindparam("service_id")))


@cache
def _service_read() -> Read:
    return Read(_service_query().with_only_columns(*Service.__table__.columns))


@cache
def _service_query() -> Select[Service]:
    project_id, reference = bindparam("project_id", type_=Text()), bindparam("reference", type_=Text())
    is_named = or_(Service.id == reference, Service.name == reference)
    return select(Service).where(Service.project_id == project_id, Service.deleted_at.is_(None), is_named)


@cache
def _list_read() -> Read:
    query = _select_views().where(
        Service.project_id == bindparam("project_id", type_=Text()),
        Service.deleted_at.is_(None),
        Service.name > bindparam("after", type_=Text()),
    )
    return Read(query.order_by(Service.name).limit(bindparam("most", type_=BigInteger())))


def _select_views() -> Select[*tuple[Any, ...]]:
    in_production = and_(
        Environment.project_id == Service.project_id,
        Environment.kind == EnvironmentKind.PRODUCTION.value,
        Environment.deleted_at.is_(None),
    )
    workload = and_(Workload.service_id == Service.id, Workload.environment_id == Environment.id)
    return (
        select(
            *(getattr(Service, name) for name in (*_COLUMNS, *_SHOWN_COLUMNS)),
            Service.source_type,
            Service.source_config,
            Service.source_credential.is_not(None).label("has_credential"),
            Service.build,
            Service.build_secrets,
            Service.run,
            Workload.health,
            addresses(Workload.id).label("routes"),
        )
        .join(Environment, in_production, isouter=True)
        .join(Workload, workload, isouter=True)
    )


def _view(platform: Platform, row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        **row["build"],
        **row["run"],
        **{name: row[name] for name in (*_COLUMNS, *_SHOWN_COLUMNS)},
        "source": {"type": row["source_type"], "config": row["source_config"]},
        "has_credential": row["has_credential"],
        "build_secret_names": _names_of_build_secrets(platform, row),
        "is_auto_port": row["port"] is None,
        "urls": to_urls(platform, row["routes"]),
        "status": row["health"] or "unknown",
    }


def _names_of_build_secrets(platform: Platform, row: Mapping[Any, Any]) -> list[str]:
    if row["build_secrets"] is None:
        return []
    return sorted(open_build_secrets(platform, Service(id=row["id"], build_secrets=row["build_secrets"])))


def _apply(platform: Platform, service: Service, fields: Mapping[str, Any]) -> None:
    for name in _COLUMNS:
        if name in fields:
            setattr(service, name, fields[name])
    service.build = {**service.build, **{name: fields[name] for name in BUILD_FIELDS if name in fields}}
    service.run = {**service.run, **{name: fields[name] for name in RUN_FIELDS if name in fields}}
    _check_volumes(service.run.get("volumes") or ())
    check_schedule(service.type, service.run)
    check_backup_settings(service.run)
    if "source" in fields:
        service.source_type = fields["source"]["type"]
        service.source_config = check_source(platform, fields["source"])
    if "credential" in fields:
        service.source_credential = seal_credential(platform, service, fields["credential"])
    if fields.get("build_secrets"):
        _merge_build_secrets(platform, service, fields["build_secrets"])


def _merge_build_secrets(platform: Platform, service: Service, changes: Mapping[str, str | None]) -> None:
    merged = {**open_build_secrets(platform, service), **changes}
    kept = {name: value for name, value in merged.items() if value is not None}
    context = build_secrets_context(service)
    service.build_secrets = platform.secrets.seal(orjson.dumps(kept), context=context) if kept else None


def _check_volumes(volumes: Sequence[Mapping[str, str]]) -> None:
    for key in ("name", "path"):
        values = [volume[key].rstrip("/") for volume in volumes]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise InvalidInput(f"Two volumes have the {key} {twice!r}.", field="volumes")


async def _check_name_is_free(work: Work, project: Project, name: str) -> None:
    query = select(Service.id).where(Service.project_id == project.id, Service.name == name)
    if await work.session.scalar(query) is not None:
        raise Conflict(f"The project {project.name!r} already has a service {name!r}.", hint="Choose another name.")


async def _check_new_type(work: Work, service: Service, new: str) -> None:
    """A program that ends by itself and one that runs all the time cannot become each other while they are deployed."""
    if new == service.type or ServiceType.CRON not in {new, service.type}:
        return
    query = select(Workload.id).where(Workload.service_id == service.id, Workload.release_id.is_not(None))
    if await work.session.scalar(query.limit(1)) is not None:
        raise InvalidInput(
            f"{service.name} is deployed as {service.type}, which cannot become {new}.",
            field="type",
            hint="Create a new service, and delete this one when that runs.",
        )


async def _move_routes(platform: Platform, work: Work, service: Service) -> None:
    mine = Workload.service_id == service.id
    if service.type == ServiceType.WEB:
        publish_soon(platform, work, await rename_generated_routes(platform, work, mine))
        return
    ids = select(Workload.id).where(mine)
    await work.session.execute(delete(Route).where(Route.workload_id.in_(ids)))
    publish_soon(platform, work, await work.session.scalars(select(Workload.environment_id).where(mine)))
