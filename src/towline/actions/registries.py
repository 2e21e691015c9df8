"""Registry credentials: found by an image's host, the project's own before the platform's."""

from sqlalchemy import or_, select

from towline.actions.platform import Platform
from towline.models.deployments import Registry
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
    query = (
        select(Registry)
        .where(Registry.host == registry_host(reference))
        .where(or_(Registry.project_id == project_id, Registry.project_id.is_(None)))
        .order_by(Registry.project_id.is_(None))
        .limit(1)
    )
    async with platform.database.transaction() as work:
        registry = (await work.session.scalars(query)).first()
    if registry is None:
        return None
    password = platform.secrets.open_text(registry.password, context=registry_context(registry))
    return Credential(username=registry.username, password=password)
