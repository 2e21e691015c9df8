"""Source `custom`: a prebuilt image, or a Dockerfile written into the configuration."""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from towline.errors import InvalidInput
from towline.infra.contents import disk_errors
from towline.infra.scratch import scratch_folder
from towline.sources.base import FetchRequest, Source, StoreTree, WebhookEvent
from towline.sources.references import check_image_reference
from towline.sources.settings import check_keys, get_text
from towline.sources.signatures import validate_signed_webhook
from towline.values import Bundle, Report

_LONGEST_DOCKERFILE = 64 * 1024


def image_of(config: Mapping[str, object]) -> str | None:
    """The prebuilt image a configuration names; None when there is something to build."""
    image = config.get("image")
    return image if isinstance(image, str) and image else None


class CustomSource(Source):
    """Stores an empty tree for an image (the pipeline pulls it) or one with just the inline Dockerfile."""

    kind: ClassVar[str] = "custom"

    def __init__(self, store_tree: StoreTree, scratch_dir: Path) -> None:
        self._store_tree = store_tree
        self._scratch_dir = scratch_dir

    def validate_config(self, config: Mapping[str, object]) -> dict[str, object]:
        """Exactly one of `image` and `dockerfile`."""
        check_keys(config, ("dockerfile", "image"))
        image = get_text(config, "image")
        dockerfile = get_text(config, "dockerfile", longest=_LONGEST_DOCKERFILE)
        if image and dockerfile:
            raise InvalidInput("A custom source has an image or a dockerfile, not both.", field="image")
        if image:
            return {"image": check_image_reference(image)}
        if not dockerfile.strip():
            raise InvalidInput("A custom source needs an image or a dockerfile.", field="image")
        return {"dockerfile": dockerfile}

    async def authenticate(self, request: FetchRequest) -> bool:
        """Always, for a valid configuration: whether the image can be had is known once it is pulled."""
        return bool(self.validate_config(request.config))

    async def fetch_source(self, request: FetchRequest, report: Report) -> Bundle:
        """Store the tree; the revision is the image's name, or the digest of the Dockerfile."""
        config = self.validate_config(request.config)
        async with scratch_folder(self._scratch_dir) as scratch:
            image = image_of(config)
            revision = image or await _write_dockerfile(scratch, str(config["dockerfile"]))
            await report(f"Using the image {image}" if image else "Using the Dockerfile of the configuration")
            digest, size = await self._store_tree(scratch)
        return Bundle(digest=digest, revision=revision, size=size)

    def validate_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent | None:
        """Towline's own signed webhook."""
        return validate_signed_webhook(headers, body, secret=secret)


async def _write_dockerfile(folder: Path, text: str) -> str:
    content = text.encode()
    with disk_errors("Writing the Dockerfile"):
        await asyncio.to_thread((folder / "Dockerfile").write_bytes, content)
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
