"""The project file of a pushed commit: when it is applied, and fetching it; no rows but those it is given."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from towline.actions.deployments.credentials import credential_context, find_connected
from towline.actions.hooks.rules import (
    BRANCHES,
    PRODUCTION,
    Candidate,
    environment_of,
    is_own_branch,
    why_not,
)
from towline.actions.platform import Platform
from towline.actions.remotes import Remote, remote_of
from towline.actions.repositories import repository_of, to_repository
from towline.errors import InvalidInput, NotFound
from towline.models.hooks import Hook
from towline.models.services import Service
from towline.sources.base import FetchRequest, WebhookEvent
from towline.values import Credential

_LONGEST: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the file is fetched from: a source's configuration for the whole repository, and what it opens with."""

    source_type: str
    config: dict[str, Any]
    credential: Credential | None = None

    @property
    def remote(self) -> Remote:
        """Which remote the credential is for."""
        return remote_of(self.source_type, self.config)


def applies_file(hook: Hook, event: WebhookEvent, candidates: Sequence[Candidate]) -> bool:
    """Whether a push brings a file to apply: it is a push to the branch that production is deployed from."""
    if not hook.project_file or event.kind != "push" or not event.revision or why_not(event):
        return False
    if hook.rules:
        return environment_of(event.ref, hook.rules) == PRODUCTION
    if not candidates:
        return event.ref == BRANCHES + event.default_branch
    return any(is_own_branch(one, event) for one in candidates)


def find_origin(platform: Platform, hook: Hook, event: WebhookEvent, services: Sequence[Service]) -> Origin:
    """The repository as one of its services has it, else as the webhook named it; NotFound when nothing names it."""
    for service in services:
        if repository_of(service.source_config) == hook.repository:
            config = {**service.source_config, "subdirectory": ""}
            return Origin(service.source_type, config, _open_credential(platform, service))
    for address in event.addresses:
        if address.startswith("https://") and to_repository(address) == hook.repository:
            return Origin("git", platform.sources["git"].validate_config({"url": address}))
    raise NotFound(
        "No service of the project is built from this repository, so nothing says how to read it.",
        hint="Apply the file once by hand: `towline apply`.",
    )


async def fetch_file(platform: Platform, hook: Hook, event: WebhookEvent, origin: Origin) -> str:
    """The text of the file in the pushed commit; NotFound when it is not there, InvalidInput when it is no text."""
    source = platform.sources.get(origin.source_type)
    if source is None:
        raise NotFound(f"The source {origin.source_type!r} is not available here.")
    settings = platform.settings
    credential = origin.credential or await find_connected(
        platform, project_id=hook.project_id, source_type=origin.source_type, config=origin.config
    )
    request = FetchRequest(
        config=origin.config,
        ref=event.revision,
        credential=credential,
        closed_networks=tuple(filter(None, (settings.network_pool, settings.internal_address))),
        timeout=settings.fetch_timeout,
        max_bytes=settings.fetch_max_bytes,
        max_files=settings.fetch_max_files,
    )
    bundle = await source.fetch_source(request, _unheard)
    async with platform.storage.open_bundle(bundle.digest) as tree:
        return await asyncio.to_thread(_read, tree, hook.project_file, event.revision)


def _read(tree: Path, name: str, revision: str) -> str:
    path = (tree / name).resolve()
    if not path.is_relative_to(tree.resolve()) or not path.is_file():
        raise NotFound(f"There is no {name} in {revision[:12]}.", hint="Push it, or turn applying it off.")
    if path.stat().st_size > _LONGEST:
        raise InvalidInput(f"{name} is longer than {_LONGEST} bytes.")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is no text in UTF-8.") from error


def _open_credential(platform: Platform, service: Service) -> Credential | None:
    if service.source_credential is None:
        return None
    sealed = platform.secrets.open(service.source_credential, context=credential_context(service))
    return Credential(**orjson.loads(sealed))


async def _unheard(_: str) -> None:
    """What a fetch tells while it goes on; nobody waits for it here."""
