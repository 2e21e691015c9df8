"""Registry credentials: found by an image's host, the project's own before the platform's."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, exists, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.platform import Platform
from towline.errors import Conflict
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Registry
from towline.names import new_id
from towline.values import Credential

DOCKER_HUB = "docker.io"


def registry_host(reference: str) -> str:
    """The registry of an image reference (distribution/reference: a first part with a dot, a colon or `localhost`)."""
    first, slash, _ = reference.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first if is_host else DOCKER_HUB


def registry_context(registry: Registry) -> str:
    """What a registry's sealed password is bound to."""
    return f"registry:{registry.id}"


async def find_credential(platform: Platform, *, project_id: str, reference: str) -> Credential | None:
    """The credential for pulling an image or pushing one to a repository."""
    return (await list_credentials(platform, project_id=project_id)).get(registry_host(reference))


async def list_credentials(platform: Platform, *, project_id: str) -> Mapping[str, Credential]:
    """What a project's builds may pull with, by host."""
    query = (
        select(Registry)
        .where(or_(Registry.project_id == project_id, Registry.project_id.is_(None)))
        .order_by(Registry.project_id.is_not(None))
    )
    async with platform.database.transaction() as work:
        registries = {registry.host: registry for registry in await work.session.scalars(query)}
    return {
        host: Credential(
            username=registry.username,
            password=platform.secrets.open_text(registry.password, context=registry_context(registry)),
        )
        for host, registry in registries.items()
    }


async def has_own_credential(platform: Platform, *, project_id: str, reference: str) -> bool:
    """Whether the project itself, not just the platform, has a credential for an image's registry."""
    own = (Registry.project_id == project_id) & (Registry.host == registry_host(reference))
    async with platform.database.transaction() as work:
        return bool(await work.session.scalar(select(exists().where(own))))


async def list_registries(
    session: AsyncSession, condition: ColumnElement[bool], *, after: tuple[str, str] | None, limit: int
) -> Sequence[Registry]:
    """Registries that fit the condition, by host, behind a position (host and id)."""
    query = select(Registry).where(condition).order_by(Registry.host, Registry.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(Registry.host, Registry.id) > after)
    return (await session.scalars(query)).all()


async def create_registry(
    platform: Platform, work: Work, *, project_id: str | None, host: str, username: str, password: str
) -> Registry:
    """Store credentials for a registry; Conflict when there are some for the same project already."""
    place = Registry.project_id.is_(None) if project_id is None else Registry.project_id == project_id
    if await work.session.scalar(select(Registry.id).where(Registry.host == host, place)) is not None:
        raise Conflict(f"Credentials for {host} are already stored.", hint="Delete them first to change them.")
    registry = Registry(id=new_id("reg"), created_at=utc_now(), project_id=project_id, host=host, username=username)
    registry.password = platform.secrets.seal(password, context=registry_context(registry))
    work.session.add(registry)
    await work.session.flush()
    return registry


async def find_registry(session: AsyncSession, registry_id: str) -> Registry | None:
    """Registry credentials by id."""
    return (await session.scalars(select(Registry).where(Registry.id == registry_id))).one_or_none()
