"""Environments: production is always there; the network of one is made when it is first needed."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Boolean, Text, bindparam, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from towline.actions.events import emit
from towline.actions.guests import admit_guests
from towline.actions.platform import Platform
from towline.actions.routes import publish_environment
from towline.actions.sharing import find_preview_of
from towline.errors import Conflict, NotFound
from towline.infra.database import Work
from towline.infra.reads import ReadModels
from towline.models.base import utc_now
from towline.models.projects import Environment, Project
from towline.names import new_id
from towline.values import EnvironmentKind

PRODUCTION = "production"


async def find_environment(work: Work, project_id: str, name: str) -> Environment | None:
    """A project's environment by name or id."""
    return next(iter(await _named().fetch_in(work, project_id=project_id, name=name)), None)


async def get_environment(work: Work, project_id: str, name: str) -> Environment:
    """A project's environment by name or id; `production` is made when it is not there yet."""
    environment = await find_environment(work, project_id, name)
    if environment is not None:
        return environment
    if name != PRODUCTION:
        raise NotFound(f"The project has no environment {name!r}.", hint="Create it first, or leave it out.")
    return await add_environment(work, project_id, PRODUCTION, kind=EnvironmentKind.PRODUCTION)


async def add_environment(work: Work, project_id: str, name: str, *, kind: EnvironmentKind) -> Environment:
    """Make an environment unless it is there; two at once make one."""
    values: dict[str, Any] = {
        "id": new_id("env"),
        "project_id": project_id,
        "name": name,
        "kind": kind.value,
        "sleep": "awake",
        "protection": "none",
        "created_at": utc_now(),
    }
    await work.session.execute(insert(Environment).values(values).on_conflict_do_nothing())
    query = select(Environment).where(Environment.project_id == project_id, Environment.name == name)
    return (await work.session.scalars(query)).one()


async def list_environments(
    work: Work, project_id: str, *, after: tuple[bool, str] | None, limit: int
) -> Sequence[Environment]:
    """A project's environments behind a position, production first, then by name."""
    is_other, name = after or (False, "")  # no name is empty, so that this is before the first
    wanted = {"project_id": project_id, "is_other": is_other, "name": name, "most": limit}
    return await _page().fetch_in(work, **wanted)


@cache
def _named() -> ReadModels[Environment]:
    """Made once, as `_page`: making it takes longer than running it."""
    mine = (Environment.project_id == bindparam("project_id"), Environment.deleted_at.is_(None))
    name = bindparam("name", type_=Text())
    found = select(Environment).where(*mine, (Environment.name == name) | (Environment.id == name))
    return ReadModels(found)


@cache
def _page() -> ReadModels[Environment]:
    is_other = Environment.kind != EnvironmentKind.PRODUCTION.value
    after = tuple_(bindparam("is_other", type_=Boolean()), bindparam("name", type_=Text()))
    mine = (Environment.project_id == bindparam("project_id"), Environment.deleted_at.is_(None))
    behind = select(Environment).where(*mine, tuple_(is_other, Environment.name) > after)
    return ReadModels(behind.order_by(is_other, Environment.name).limit(bindparam("most")))


async def create_environment(
    platform: Platform, work: Work, project_id: str, *, name: str, kind: EnvironmentKind
) -> Environment:
    """A new environment; Conflict when the name is taken."""
    if name == PRODUCTION or await find_environment(work, project_id, name) is not None:
        raise Conflict(f"The project already has an environment {name!r}.", hint="Choose another name.")
    environment = await add_environment(work, project_id, name, kind=kind)
    emit(platform, work, "environment.created", project_id=project_id, data={"environment": name})
    return environment


async def ensure_network(platform: Platform, environment: Environment, project: Project) -> Environment:
    """Make the environment's private network unless it is there, and remember its subnet."""
    network = environment.network or f"towline-{project.name}-{environment.name}-{environment.id[-6:]}"
    labels = {"towline.environment-id": environment.id, "towline.project-id": project.id}
    subnet = await platform.orchestrator.ensure_network(network, labels=labels)
    if (network, subnet) != (environment.network, environment.subnet):
        async with platform.database.transaction() as work:
            await work.session.execute(
                update(Environment).where(Environment.id == environment.id).values(network=network, subnet=subnet)
            )
        environment.network, environment.subnet = network, subnet
        await _admit_to_base(platform, environment)
    return environment


async def _admit_to_base(platform: Platform, environment: Environment) -> None:
    """Let instances of a preview, whose subnet is known now, call what it uses of its base environment."""
    async with platform.database.transaction() as work:
        preview = await find_preview_of(work, environment)
    if preview is not None and preview.shared:
        await publish_environment(platform, preview.base_environment_id)
        await admit_guests(platform, preview_id=preview.id)
