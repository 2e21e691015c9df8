"""Pulling images for a project: the copy of one that came with another project's credential is no way around it.

Such a copy loses the name it was pulled by, so that neither an image's name nor a `FROM` finds it: both have to ask
the registry, with the credentials of the project that asks.
"""

import secrets

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from towline.actions.platform import Platform
from towline.actions.registries import find_credential, has_own_credential
from towline.errors import ImageNotFound, SourceUnavailable
from towline.models.base import utc_now
from towline.models.private_images import PrivateImage
from towline.values import Image, Report


async def pull_for_project(
    platform: Platform, *, project_id: str, reference: str, repository: str, report: Report
) -> Image:
    """The image pinned by digest and named `repository:…`; only where the registry lets the project in, or did so.

    Raises ImageNotFound and SourceUnavailable as the orchestrator does.
    """
    engine = platform.orchestrator
    credential = await find_credential(platform, project_id=project_id, reference=reference)
    found = await _find_copy(platform, reference)
    is_admitted = found is not None and not await _is_foreign(platform, found, project_id=project_id)
    try:
        image = await engine.pull_image(reference, credential=credential, allows_copy=is_admitted, report=report)
    except (ImageNotFound, SourceUnavailable) as error:
        image = await _find_own(platform, project_id=project_id, reference=reference)
        if image is None:
            raise
        await report(f"{error.message} The image on this machine is used.")
    is_new = found is None or found.reference != image.reference
    came_with_credential = is_new and await has_own_credential(platform, project_id=project_id, reference=reference)
    is_private = came_with_credential or bool(await _list_owners(platform, image))
    # A private copy's name is guessed by nobody, for a `FROM` could say it.
    tag = secrets.token_hex(10) if is_private else image.digest.rpartition(":")[2][:20]
    await engine.tag_image(image.reference, f"{repository}:{tag}")
    if is_private:
        await _remember(platform, image, project_id=project_id, reference=reference)
        await engine.remove_image(reference)
    return image


async def forget_removed_images(platform: Platform) -> None:
    """Drop the rows of images that this machine no longer has."""
    async with platform.database.transaction() as work:
        digests = (await work.session.scalars(select(PrivateImage.digest).distinct())).all()
    gone = [digest for digest in digests if await _find_copy(platform, digest) is None]
    async with platform.database.transaction() as work:
        await work.session.execute(delete(PrivateImage).where(PrivateImage.digest.in_(gone)))


async def _find_copy(platform: Platform, reference: str) -> Image | None:
    try:
        return await platform.orchestrator.get_image(reference)
    except ImageNotFound:
        return None


async def _find_own(platform: Platform, *, project_id: str, reference: str) -> Image | None:
    """The newest copy that came by this name with a credential of the project's."""
    query = (
        select(PrivateImage.digest)
        .where(PrivateImage.project_id == project_id, PrivateImage.reference == reference)
        .order_by(PrivateImage.pulled_at.desc())
        .limit(1)
    )
    async with platform.database.transaction() as work:
        digest = await work.session.scalar(query)
    return None if digest is None else await _find_copy(platform, digest)


async def _is_foreign(platform: Platform, image: Image, *, project_id: str) -> bool:
    owners = await _list_owners(platform, image)
    return bool(owners) and project_id not in owners


async def _list_owners(platform: Platform, image: Image) -> frozenset[str]:
    query = select(PrivateImage.project_id).where(PrivateImage.digest == image.reference)
    async with platform.database.transaction() as work:
        return frozenset(await work.session.scalars(query))


async def _remember(platform: Platform, image: Image, *, project_id: str, reference: str) -> None:
    statement = insert(PrivateImage).values(digest=image.reference, project_id=project_id, reference=reference)
    keys = ["digest", "project_id", "reference"]
    async with platform.database.transaction() as work:
        await work.session.execute(statement.on_conflict_do_update(index_elements=keys, set_={"pulled_at": utc_now()}))
