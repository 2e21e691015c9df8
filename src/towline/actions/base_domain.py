"""The base domain: what another one would change, asking the supervisor for it, and hosts that follow it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import ColumnElement, Select, func, select

from towline.actions.access import Caller
from towline.actions.audit import record
from towline.actions.deletion import publish_soon
from towline.actions.domain_check import LookUp, check_domain, look_up
from towline.actions.events import emit
from towline.actions.installation import platform_url
from towline.actions.platform import Platform
from towline.actions.routes import rename_generated_routes
from towline.errors import Conflict, InvalidInput, TowlineError
from towline.infra.contents import disk_errors
from towline.infra.database import Work
from towline.infra.wishes import BASE_DOMAIN, find_wish, wish
from towline.models.hooks import Hook
from towline.models.identities import IdentityProvider
from towline.models.projects import Project
from towline.models.second_factors import Passkey
from towline.models.services import Route, Workload
from towline.names import check_host

_ACTION: Final = "platform.update"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Address:
    """Where API and dashboard are reached with a base domain."""

    base_domain: str
    platform_host: str
    url: str


@dataclass(frozen=True, slots=True)
class Change:
    """What another base domain would change: the address, and how many of each thing."""

    address: Address
    hosts: int
    passkeys: int
    webhooks: int
    providers: int


def address_with(platform: Platform, domain: str) -> Address:
    """Where API and dashboard are reached with a base domain."""
    settings = platform.settings.model_copy(update={"base_domain": domain})
    return Address(domain, settings.effective_platform_host, platform_url(replace(platform, settings=settings)))


async def foresee(platform: Platform, work: Work, domain: str) -> Change:
    """What setting a base domain would change."""
    address = address_with(platform, domain)
    hosts = await work.session.scalar(_astray(domain).with_only_columns(func.count()))
    if address.platform_host == platform.settings.effective_platform_host:
        return Change(address, hosts or 0, 0, 0, 0)
    counts = [await work.session.scalar(select(func.count()).select_from(row)) for row in _KNOW_THE_ADDRESS]
    passkeys, webhooks, providers = (count or 0 for count in counts)
    return Change(address, hosts or 0, passkeys=passkeys, webhooks=webhooks, providers=providers)


async def set_base_domain(
    platform: Platform, caller: Caller, domain: str, *, even_if_unreachable: bool, look_up: LookUp = look_up
) -> tuple[Address, bool]:
    """Ask the supervisor for a base domain; where Towline is reached then, and whether it starts again for that.

    InvalidInput when DNS does not lead here, unless that is wanted; Conflict when an app has one of its hosts, or
    without a supervisor.
    """
    settings, address = platform.settings, address_with(platform, domain)
    check_host(address.platform_host, field="base_domain")
    if domain == find_wish(settings.data_dir).get(BASE_DOMAIN, settings.base_domain):
        return address, domain != settings.base_domain
    if not settings.supervisor:
        raise Conflict(
            "This Towline is not run by `towline up`, so its base domain cannot be set here.",
            hint=f"Set {BASE_DOMAIN}={domain} where it is started, and start it again.",
        )
    if not even_if_unreachable:
        await _check_reachable(platform, domain, look_up)
    async with platform.database.transaction() as work:
        await _check_free(work, address)
        detail = {"base_domain": domain, "was": settings.base_domain, "even_if_unreachable": even_if_unreachable}
        record(work, caller, _ACTION, object_id=settings.installation_id, detail=detail)
    with disk_errors("Keeping the base domain"):
        await asyncio.to_thread(wish, settings.data_dir, {BASE_DOMAIN: domain}, supervisor=settings.supervisor)
    return address, True


async def follow_base_domain(platform: Platform) -> None:
    """Give generated hosts that are not below their domain new names, as after a change of a project's own one."""
    query = _astray(platform.settings.base_domain).with_only_columns(Workload.project_id).distinct()
    async with platform.database.transaction() as work:
        project_ids = (await work.session.scalars(query)).all()
    for project_id in project_ids:
        try:
            await _rename(platform, project_id)
        except TowlineError as error:
            _log.warning("The hosts of %s stay as they are: %s", project_id, error)


async def _rename(platform: Platform, project_id: str) -> None:
    async with platform.database.transaction() as work:
        astray = _astray(platform.settings.base_domain).where(Workload.project_id == project_id)
        ids = (await work.session.scalars(astray.with_only_columns(Workload.id))).all()
        environment_ids = await rename_generated_routes(platform, work, Workload.id.in_(ids))
        publish_soon(platform, work, environment_ids)
        emit(platform, work, "project.updated", project_id=project_id)


async def _check_reachable(platform: Platform, domain: str, look_up: LookUp) -> None:
    found = await check_domain(platform, domain, look_up=look_up)
    if found.problem:
        hint = f"{found.hint} Or set it all the same, with `even_if_unreachable`."
        raise InvalidInput(found.problem, hint=hint, field="base_domain")


async def _check_free(work: Work, address: Address) -> None:
    """No app may have Towline's own hosts: its requests would go to Towline."""
    hosts = (address.platform_host, address.base_domain)
    taken = await work.session.scalar(select(Route.host).where(Route.host.in_(hosts)).limit(1))
    if taken is not None:
        raise Conflict(f"{taken} leads to an app, and would be Towline's own.", hint="Remove that domain there first.")


def _astray(domain: str) -> Select[Route]:
    """Generated routes of projects without a base domain of their own that are not below the instance's."""
    parent: ColumnElement[str] = func.substr(Route.host, func.strpos(Route.host, ".") + 1)
    is_astray = (Route.kind == "generated", parent != domain)
    return (
        select(Route)
        .join(Workload, Workload.id == Route.workload_id)
        .join(Project, Project.id == Workload.project_id)
        .where(*is_astray, Project.base_domain == "", Project.deleted_at.is_(None))
    )


_KNOW_THE_ADDRESS: Final[Sequence[type[Passkey | Hook | IdentityProvider]]] = (Passkey, Hook, IdentityProvider)
