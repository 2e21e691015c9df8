"""Redirects of git servers, followed step by step, so that none leads to where Towline does not fetch from."""

import asyncio
import base64
import os
import ssl
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import aiohttp

from towline.errors import SourceUnavailable
from towline.infra.pinned import Pinned
from towline.sources.base import FetchRequest
from towline.sources.git.remotes import Remote, check_allowed, parse_remote
from towline.values import Credential

_SUFFIX: Final = "/info/refs?service=git-upload-pack"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST: Final = 5
_SECONDS: Final = 20.0
_ANY_USER: Final = "x-access-token"
_HINT: Final = "Check the host name, and this machine's network."


async def follow_redirects(
    remote: Remote, request: FetchRequest, *, credential: Credential | None
) -> tuple[Remote, Sequence[str]]:
    """Where an https repository is now, and the addresses that were checked; InvalidInput when that is this machine.

    The remote itself when it is no https one, or when the server cannot be asked: git then says what is wrong.
    SourceUnavailable when there is no end to it, or the host is not known: git would look it up once more, and by then
    its owner could let it lead to this machine.
    """
    origin = remote.origin
    for _ in range(_MOST):
        addresses = await check_allowed(
            remote, allows_local=request.allows_local, closed_networks=request.closed_networks
        )
        if not addresses and not request.allows_local:
            raise SourceUnavailable(f"{remote.url} cannot be reached: its host is not known here.", hint=_HINT)
        if remote.protocol != "https" or not addresses:
            return remote, addresses
        shown = credential if remote.origin == origin else None
        target = await _find_target(remote, addresses, credential=shown)
        if target is None:
            return remote, addresses
        remote = parse_remote(target)
    raise SourceUnavailable(f"The address {remote.url} leads from one redirect to the next.")


async def _find_target(remote: Remote, addresses: Sequence[str], *, credential: Credential | None) -> str | None:
    """The repository that the server redirects to; None when it answers itself."""
    location = await _find_location(remote, addresses, credential=None)
    if location is None and credential is not None and credential.password:
        location = await _find_location(remote, addresses, credential=credential)
    target = urljoin(remote.url.rstrip("/") + _SUFFIX, location or "")
    return target.removesuffix(_SUFFIX) if location and target.endswith(_SUFFIX) else None


async def _find_location(remote: Remote, addresses: Sequence[str], *, credential: Credential | None) -> str | None:
    headers = {"User-Agent": "git/2.0"}
    if credential is not None:
        pair = f"{credential.username or _ANY_USER}:{credential.password}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    limit = aiohttp.ClientTimeout(total=_SECONDS)
    trusted = await asyncio.to_thread(_trusted)
    connector = aiohttp.TCPConnector(resolver=Pinned(addresses), force_close=True, ssl=trusted)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=limit, headers=headers) as session,
            session.get(remote.url.rstrip("/") + _SUFFIX, allow_redirects=False) as response,
        ):
            if response.connection is not None and (transport := response.connection.transport) is not None:
                transport.abort()  # closing TLS politely would go on after this
            return response.headers.get("Location") if response.status in _REDIRECTS else None
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return None


def _trusted() -> ssl.SSLContext:
    """The certificates that git trusts, read again once their file is another. Blocks."""
    given = os.environ.get("GIT_SSL_CAINFO") or os.environ.get("CURL_CA_BUNDLE")
    file = given or ssl.get_default_verify_paths().cafile
    return _read_trusted(given, _changed_at(file))


def _changed_at(file: str | None) -> int:
    try:
        return Path(file).stat().st_mtime_ns if file else 0
    except OSError:
        return 0


@lru_cache(maxsize=1)
def _read_trusted(file: str | None, _at: int) -> ssl.SSLContext:
    """Reading all that a machine trusts takes as long as asking a server nearby."""
    return ssl.create_default_context(cafile=file)
