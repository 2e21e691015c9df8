"""Source `inline`: the files of a service, written into its configuration."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import ClassVar, cast

from towline.errors import InvalidInput
from towline.infra.scratch import scratch_folder
from towline.sources.base import FetchRequest, Source, StoreTree, WebhookEvent
from towline.values import Bundle, Report


class InlineSource(Source):
    """Stores the files of `config["files"]`, text by path, as a bundle."""

    kind: ClassVar[str] = "inline"

    def __init__(self, store_tree: StoreTree, scratch_dir: Path) -> None:
        self._store_tree = store_tree
        self._scratch_dir = scratch_dir

    def validate_config(self, config: Mapping[str, object]) -> dict[str, object]:
        """`files`: at least one, each at a path inside the tree."""
        files = config.get("files")
        if set(config) != {"files"} or not isinstance(files, dict) or not files:
            raise InvalidInput("This source has `files`, an object of texts by path.", field="files")
        for path, text in cast("dict[object, object]", files).items():
            if not isinstance(path, str) or not isinstance(text, str) or not _is_inside(path):
                raise InvalidInput(f"{str(path)[:200]!r} is no path of a text inside the tree.", field="files")
        return {"files": files}

    async def authenticate(self, request: FetchRequest) -> bool:
        """Always: there is nothing to ask anybody for."""
        return bool(self.validate_config(request.config))

    async def fetch_source(self, request: FetchRequest, report: Report) -> Bundle:
        """Write the files, and store them; the revision is the digest of them all."""
        files = cast("dict[str, str]", self.validate_config(request.config)["files"])
        await report(f"Writing {len(files)} files of the configuration")
        async with scratch_folder(self._scratch_dir) as folder:
            await asyncio.to_thread(_write, folder / "tree", files)
            digest, size = await self._store_tree(folder / "tree")
        revision = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
        return Bundle(digest=digest, revision=f"sha256:{revision}", size=size)

    def validate_webhook(self, headers: Mapping[str, str], body: bytes, secret: str) -> WebhookEvent | None:
        """There are no webhooks of this source: none is ever right."""
        del headers, body, secret


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path


def _write(tree: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
