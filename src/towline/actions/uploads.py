"""Uploads: archives announced by digest, received in pieces, and deployable by the project that sent them."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from towline.actions.platform import Platform
from towline.errors import Conflict, InvalidInput, NotFound, TooLarge, WrongOffset
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Upload

_ABANDONED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class UploadState:
    """How much of an archive a project has sent."""

    digest: str
    size: int
    offset: int
    is_complete: bool


def wrong_offset(state: UploadState, *, given: int) -> WrongOffset:
    """The error that says where the upload really ends."""
    error = WrongOffset(
        f"The upload {state.digest} ends at {state.offset}, not at {given}.",
        hint=f"Send the bytes from offset {state.offset} on.",
    )
    error.offset = state.offset
    return error


async def announce(platform: Platform, work: Work, *, project_id: str, digest: str, size: int) -> UploadState:
    """Announce an archive, or ask how far it is; TooLarge above the limit.

    An archive that another project sent must be sent again by this one: knowing a digest is no proof of having it.
    """
    if size > platform.settings.upload_max_bytes:
        limit = platform.settings.upload_max_bytes
        raise TooLarge(f"The upload has {size} bytes; at most {limit} are allowed.", field="size")
    await work.session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:digest, 9))"), {"digest": digest})
    values = {"project_id": project_id, "digest": digest, "size": size, "created_at": utc_now()}
    values |= {"is_complete": False, "bundle_digest": ""}
    await work.session.execute(insert(Upload).values(values).on_conflict_do_nothing())
    row = await _get_row(work, project_id, digest, is_locked=True)
    is_there = await platform.uploads.has_upload(digest)
    if row.is_complete and is_there:
        row.created_at = utc_now()
        return UploadState(digest, row.size, row.size, is_complete=True)
    row.is_complete, row.size, row.created_at = False, size, utc_now()
    if is_there:
        return UploadState(digest, size, 0, is_complete=False)
    await _check_alone(work, project_id, digest)
    return UploadState(digest, size, await platform.uploads.create(size, digest), is_complete=False)


async def get_state(platform: Platform, work: Work, *, project_id: str, digest: str) -> UploadState:
    """How far an upload is; NotFound when the project never announced it."""
    row = await _get_row(work, project_id, digest)
    if await platform.uploads.has_upload(digest):
        return UploadState(digest, row.size, row.size if row.is_complete else 0, is_complete=row.is_complete)
    if row.is_complete:
        raise NotFound(f"The upload {digest} was removed after a day.", hint="Announce it again, then send its bytes.")
    offset, _ = await platform.uploads.get_upload(digest)
    return UploadState(digest, row.size, offset, is_complete=False)


async def append(
    platform: Platform, *, project_id: str, digest: str, offset: int, chunks: AsyncIterator[bytes]
) -> UploadState:
    """Write bytes from `offset` on; with the last one the archive is verified and complete.

    WrongOffset when the upload ends elsewhere; what came before an interruption is kept. No transaction is open
    while bytes arrive.
    """
    async with platform.database.transaction() as work:
        state = await get_state(platform, work, project_id=project_id, digest=digest)
    if state.is_complete:
        return state
    if offset != state.offset:
        raise wrong_offset(state, given=offset)
    if await platform.uploads.has_upload(digest):
        await _verify(chunks, digest=digest, size=state.size)
        return await _finish(platform, project_id, state)
    end = await platform.uploads.append(digest, offset, chunks)
    if end < state.size:
        return UploadState(digest, state.size, end, is_complete=False)
    await platform.uploads.complete(digest)
    return await _finish(platform, project_id, state)


async def keep_archive(platform: Platform, work: Work, *, project_id: str, content: bytes) -> str:
    """Take an archive of this process's own making as an upload of the project; its digest."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    state = await announce(platform, work, project_id=project_id, digest=digest, size=len(content))
    if not await platform.uploads.has_upload(digest):
        await platform.uploads.append(digest, state.offset, _as_chunks(content[state.offset :]))
        await platform.uploads.complete(digest)
    mine = (Upload.project_id == project_id, Upload.digest == digest)
    await work.session.execute(update(Upload).where(*mine).values(is_complete=True))
    return digest


async def check_deployable(platform: Platform, work: Work, *, project_id: str, digest: str) -> None:
    """Return when the project has sent the whole archive and it is still there; InvalidInput otherwise."""
    query = select(Upload.is_complete).where(Upload.project_id == project_id, Upload.digest == digest)
    if not await work.session.scalar(query) or not await platform.uploads.has_upload(digest):
        raise InvalidInput(
            f"The project has no complete upload {digest}.", hint="Send the archive first, then deploy.", field="upload"
        )


async def _as_chunks(content: bytes) -> AsyncGenerator[bytes]:
    yield content


async def _verify(chunks: AsyncIterator[bytes], *, digest: str, size: int) -> None:
    """Read an archive that is already there, to see that the sender has it too."""
    total, count = hashlib.sha256(), 0
    async for chunk in chunks:
        count += len(chunk)
        if count > size:
            raise TooLarge(f"The upload {digest} was announced with {size} bytes, and more came.")
        total.update(chunk)
    if f"sha256:{total.hexdigest()}" != digest:
        raise InvalidInput(f"What was uploaded does not have the digest {digest}.", field="digest")


async def _finish(platform: Platform, project_id: str, state: UploadState) -> UploadState:
    async with platform.database.transaction() as work:
        mine = (Upload.project_id == project_id, Upload.digest == state.digest)
        await work.session.execute(update(Upload).where(*mine).values(is_complete=True))
    return UploadState(state.digest, state.size, state.size, is_complete=True)


async def _get_row(work: Work, project_id: str, digest: str, *, is_locked: bool = False) -> Upload:
    query = select(Upload).where(Upload.project_id == project_id, Upload.digest == digest)
    row = (await work.session.scalars(query.with_for_update() if is_locked else query)).one_or_none()
    if row is None:
        raise NotFound(f"There is no upload {digest[:100]!r}.", hint="Announce it first, then send its bytes.")
    return row


async def _check_alone(work: Work, project_id: str, digest: str) -> None:
    """Only one project at a time sends an archive, so that none gets by with another's bytes."""
    query = select(Upload.project_id).where(Upload.digest == digest, Upload.project_id != project_id)
    recent = query.where(Upload.is_complete.is_(False), Upload.created_at > utc_now() - _ABANDONED)
    if await work.session.scalar(recent.limit(1)) is not None:
        raise Conflict(f"The upload {digest} is being sent elsewhere.", hint="Try again in a minute.")
