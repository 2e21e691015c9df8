"""Source `upload`: an archive that was sent to this installation."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from towline.errors import SourceUnavailable
from towline.infra.archives.members import UnpackLimits
from towline.infra.archives.unpacking import unpack_archive
from towline.infra.contents import check_digest, content_path
from towline.infra.scratch import scratch_folder
from towline.sources.base import FetchRequest, Source, StoreTree, WebhookEvent
from towline.sources.settings import check_keys
from towline.sources.signatures import validate_signed_webhook
from towline.values import Bundle, Report


class UploadSource(Source):
    """Takes completed uploads from `uploads_dir` (`sha256/ab/<hex>`); the ref is the upload's digest."""

    kind: ClassVar[str] = "upload"

    def __init__(self, store_tree: StoreTree, uploads_dir: Path) -> None:
        self._store_tree = store_tree
        self._uploads_dir = uploads_dir

    def validate_config(self, config: Mapping[str, object]) -> dict[str, object]:
        """An upload has nothing to configure."""
        check_keys(config, ())
        return {}

    async def authenticate(self, request: FetchRequest) -> bool:
        """Whether the upload is there: it came from someone who was allowed to send it."""
        return await asyncio.to_thread(self._path(request).is_file)

    async def fetch_source(self, request: FetchRequest, report: Report) -> Bundle:
        """Unpack the upload `request.ref` and store its tree."""
        archive = self._path(request)
        if not await asyncio.to_thread(archive.is_file):
            raise SourceUnavailable(
                f"The upload {request.ref} is not on this machine.", hint="Upload the archive again."
            )
        limits = UnpackLimits(
            max_bytes=request.max_bytes, max_files=request.max_files, max_file_bytes=request.max_bytes
        )
        await report(f"Unpacking {request.ref}")
        async with scratch_folder(self._uploads_dir / "tmp") as scratch:
            tree = await unpack_archive(archive, scratch / "tree", limits=limits, timeout=request.timeout)
            digest, size = await self._store_tree(tree)
        return Bundle(digest=digest, revision=request.ref, size=size)

    def validate_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent | None:
        """Towline's own signed webhook."""
        return validate_signed_webhook(headers, body, secret=secret)

    def _path(self, request: FetchRequest) -> Path:
        return content_path(self._uploads_dir, check_digest(request.ref, field="ref"))
