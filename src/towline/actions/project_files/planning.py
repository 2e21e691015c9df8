"""Planning: a file compared with what is there, what that deploys, and a fingerprint of both."""

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import select

from towline.actions.backups.settings import check_backup_settings
from towline.actions.configuration.comparing import list_stale_workloads
from towline.actions.graph.order import find_cycle, limited_to, to_levels
from towline.actions.platform import Platform
from towline.actions.project_files.difference import Difference, find_differences
from towline.actions.project_files.present import empty_state, present_state
from towline.actions.project_files.references import check_references, load_surroundings
from towline.actions.project_files.state import UPLOAD, DomainState, ProjectState, ServiceState
from towline.actions.routes import certificate_for
from towline.actions.schedules import check_schedule
from towline.actions.service_sources import check_source
from towline.actions.sleep import LIVE
from towline.errors import DependencyCycle, InvalidInput
from towline.infra.database import Work
from towline.models.deployments import Release
from towline.models.projects import Environment, Project
from towline.models.services import Service, Workload

_NOT_DEPLOYED = frozenset({"replicas", "backup"})
"""Settings that take effect without a deployment."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a file wants, to plan or apply; `defaults` are the contract's for settings of a service."""

    wanted: ProjectState
    defaults: Mapping[str, Any]
    environment: str
    deletes: bool = False
    upload: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply would do; `deploys` are services in steps."""

    present: ProjectState
    wanted: ProjectState
    differences: Sequence[Difference]
    deploys: Sequence[tuple[str, ...]]
    interrupts: Sequence[str]
    fingerprint: str


async def make_plan(platform: Platform, work: Work, project: Project | None, request: Request) -> Plan:
    """The plan for a file; InvalidInput or DependencyCycle naming the place in it that cannot be."""
    wanted = normalise(platform, request.wanted)
    _check_needs(wanted)
    present = empty_state(request.wanted.name)
    facts: dict[str, Any] = {}
    stale: set[str] = set()
    if project is not None:
        present = await present_state(platform, work, project, defaults=request.defaults)
        facts = await _list_releases(work, project, request.environment)
        stale = await _list_stale(platform, work, project, request.environment)
    around = await load_surroundings(work, project, request.environment)
    # A file may hold a megabyte of references, and nobody else shall wait for them.
    await asyncio.to_thread(check_references, present, wanted, around, deletes=request.deletes)
    differences = find_differences(present, wanted, deletes=request.deletes)
    chosen = {name for name in wanted.services if _needs_deployment(name, wanted, differences, request, facts, stale)}
    return Plan(
        present,
        wanted,
        differences,
        deploys=to_levels(limited_to({name: frozenset(one.needs) for name, one in wanted.services.items()}, chosen)),
        interrupts=sorted(name for name in chosen if facts.get(name) and wanted.services[name].settings["volumes"]),
        fingerprint=_fingerprint(present, facts, wanted, request),
    )


def normalise(platform: Platform, state: ProjectState) -> ProjectState:
    """The state as rows would keep it: sources completed, redirects only where there can be a certificate."""
    services = {name: _normalise(platform, name, service) for name, service in state.services.items()}
    return replace(state, services=services)


def _normalise(platform: Platform, name: str, service: ServiceState) -> ServiceState:
    source = service.settings["source"]
    try:
        config = check_source(platform, source)
        check_schedule(service.settings["type"], service.settings)
        check_backup_settings(service.settings)
    except InvalidInput as error:
        raise InvalidInput(f"services.{name}: {error.message}", hint=error.hint, field="file") from error
    settings = {**service.settings, "source": {"type": source["type"], "config": config}}
    domains = {key: _with_redirect(platform, key[1], domain) for key, domain in service.domains.items()}
    return replace(service, settings=settings, domains=domains)


def _with_redirect(platform: Platform, host: str, domain: DomainState) -> DomainState:
    can_redirect = domain.certificate == "auto" and certificate_for(platform, host) == "acme"
    return replace(domain, redirect_to_https=domain.redirect_to_https and can_redirect)


def _check_needs(wanted: ProjectState) -> None:
    if circle := find_cycle({name: set(service.needs) for name, service in wanted.services.items()}):
        raise DependencyCycle(f"The services need each other in a circle: {' → '.join(circle)}.", field="file")


def _needs_deployment(
    name: str,
    wanted: ProjectState,
    differences: Sequence[Difference],
    request: Request,
    releases: dict[str, Any],
    stale: Collection[str],
) -> bool:
    settings = wanted.services[name].settings
    is_uploaded = settings["source"]["type"] == UPLOAD
    if is_uploaded and not request.upload and not releases.get(name):
        return False
    if not releases.get(name) or name in stale or (is_uploaded and request.upload not in {"", releases[name][1]}):
        return True
    return any(_changes_release(item, name) for item in differences if item.is_change)


def _changes_release(item: Difference, name: str) -> bool:
    if item.kind == "variable":
        return item.service in {"", name} and not item.is_of_previews
    changed = {field for field, _, _ in item.fields}
    return item.kind == "service" and item.service == name and bool(changed - _NOT_DEPLOYED)


async def _list_releases(work: Work, project: Project, environment: str) -> dict[str, tuple[str, str]]:
    """The release of each service that runs in the environment, and what it was made from: a commit or an upload."""
    query = (
        select(Service.name, Workload.release_id, Release.commit_sha)
        .join(Workload, Workload.service_id == Service.id)
        .join(Release, Release.id == Workload.release_id)
        .join(Environment, Environment.id == Workload.environment_id)
        .where(Service.project_id == project.id, Service.deleted_at.is_(None), Environment.name == environment)
        .where(Workload.wanted.in_(LIVE))
    )
    return {name: (release or "", commit) for name, release, commit in await work.session.execute(query)}


async def _list_stale(platform: Platform, work: Work, project: Project, environment: str) -> set[str]:
    found = await list_stale_workloads(platform, work, project)
    return {item.service.name for item in found if item.environment.name == environment and item.names}


def _fingerprint(present: ProjectState, facts: dict[str, Any], wanted: ProjectState, request: Request) -> str:
    """Changes with the present state, with what runs, and with what is asked for."""
    asked = [request.environment, request.deletes, request.upload]
    packed = orjson.dumps([_plain(present), facts, _plain(wanted), asked], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(packed).hexdigest()[:32]


def _plain(state: ProjectState) -> Any:
    domains = {name: {" ".join(key): one for key, one in item.domains.items()} for name, item in state.services.items()}
    return [
        replace(state, services={name: replace(item, domains={}) for name, item in state.services.items()}),
        domains,
    ]
