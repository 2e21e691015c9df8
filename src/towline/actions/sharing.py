"""What a preview has of its own, and what it uses of its base environment; other environments have everything."""

from collections import defaultdict
from typing import Any, Final

from sqlalchemy import select, text

from towline.errors import Conflict
from towline.infra.database import Work
from towline.models.previews import Preview
from towline.models.projects import Environment
from towline.models.services import Service
from towline.values import EnvironmentKind

_MOST_NAMED: Final = 5


async def find_preview_of(work: Work, environment: Environment) -> Preview | None:
    """The preview whose environment it is; None of any other environment."""
    if environment.kind != EnvironmentKind.PREVIEW.value:
        return None
    return (await work.session.scalars(select(Preview).where(Preview.environment_id == environment.id))).one_or_none()


async def is_of_fork(work: Work, environment: Environment) -> bool:
    """Whether a stranger's commit runs in the environment."""
    preview = await find_preview_of(work, environment)
    return preview is not None and preview.is_fork


async def find_own_services(work: Work, environment: Environment) -> frozenset[str] | None:
    """Ids of the services that run in an environment itself; None: any service may."""
    preview = await find_preview_of(work, environment)
    return None if preview is None else frozenset(preview.service_ids)


async def check_belongs(work: Work, service: Service, environment: Environment) -> None:
    """Return when the service may be deployed there; Conflict when the preview has none of its own."""
    own = await find_own_services(work, environment)
    if own is not None and service.id not in own:
        raise Conflict(
            f"The preview {environment.name} has no {service.name} of its own.",
            hint="Deploy it to the base environment, or make a preview that has it.",
        )


async def find_home(work: Work, service: Service, environment: Environment) -> Environment:
    """Where the service runs that an environment uses: there, or in the base environment of a preview."""
    preview = await find_preview_of(work, environment)
    if preview is None or service.id in preview.service_ids:
        return environment
    return await work.session.get_one(Environment, preview.base_environment_id)


async def lock_previews(work: Work, project_id: str) -> None:
    """One at a time: the cap counts, names are chosen, and the base must stay."""
    await work.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:project, 37))"), {"project": project_id}
    )


async def check_no_base(work: Work, environment: Environment) -> None:
    """Return when no preview stands beside the environment; Conflict naming those that do."""
    await lock_previews(work, environment.project_id)
    query = (
        select(Environment.name)
        .join(Preview, Preview.environment_id == Environment.id)
        .where(Preview.base_environment_id == environment.id, Preview.state != "removing")
        .order_by(Environment.name)
    )
    names = (await work.session.scalars(query)).all()
    if names:
        shown = ", ".join(names[:_MOST_NAMED]) + (" and others" if len(names) > _MOST_NAMED else "")
        raise Conflict(
            f"{environment.name} is the base of the previews {shown}.",
            hint="Remove them first: `towline previews delete NAME`.",
        )


async def list_guests(work: Work, base_environment_id: str) -> dict[str, tuple[str, ...]]:
    """Subnets of the previews that use a service of the environment, by id of the service."""
    query = (
        select(Preview.shared, Environment.subnet)
        .join(Environment, Environment.id == Preview.environment_id)
        .where(Preview.base_environment_id == base_environment_id, Preview.state != "removing")
        .where(Environment.deleted_at.is_(None), Environment.subnet != "")
        .order_by(Preview.id)
    )
    guests: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    rows: list[tuple[list[Any], str]] = [(shared, subnet) for shared, subnet in await work.session.execute(query)]
    for shared, subnet in rows:
        for service_id in shared:
            guests[service_id] = (*guests[service_id], subnet)
    return dict(guests)
