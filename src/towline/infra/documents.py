"""JSON documents of other servers: over https only, bounded in time and size, kept for a while where asked."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson

from towline.errors import InvalidInput, Unavailable
from towline.infra.pinned import Pinned

MAX_BYTES: Final = 1024 * 1024
MAX_SECONDS: Final = 10.0
KEPT_SECONDS: Final = 3600.0
FRESH_SECONDS: Final = 10.0
"""A kept document is not fetched again sooner than this, whoever calls it stale."""
_CONNECT_SECONDS: Final = 5.0
_MOST_KEPT: Final = 64
_HINT: Final = "Check the address, and that this machine can reach it."


@dataclass(frozen=True, slots=True)
class Document:
    """An answer with its status; `content` is its JSON, None when it is not JSON."""

    status: int
    content: Any

    def as_object(self) -> dict[str, Any]:
        """The content as an object; empty when it is none."""
        return cast("dict[str, Any]", self.content) if isinstance(self.content, dict) else {}


class Documents:
    """Fetches documents; one per process, for what it keeps. Unavailable tells why there is none."""

    def __init__(self, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._fresh_seconds = fresh_seconds
        self._kept: OrderedDict[str, tuple[float, Document]] = OrderedDict()

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Document:
        """GET a document."""
        return await _send("GET", url, headers=headers)

    async def post(self, url: str, form: Mapping[str, str], *, headers: Mapping[str, str] | None = None) -> Document:
        """POST a form; the document that comes back."""
        return await _send("POST", url, headers=headers, data=form)

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        addresses: Sequence[str] = (),
    ) -> Document:
        """Any request with a JSON body; held to the addresses, where some are given and no proxy is in between."""
        connector = None
        if addresses and not is_proxied(url):
            connector = aiohttp.TCPConnector(resolver=Pinned(addresses))
        return await _send(method, url, headers=headers, json=body, connector=connector)

    async def get_kept(self, url: str, *, is_stale: bool = False) -> Document:
        """GET a document that seldom changes: the kept one for an hour, or until a caller found it stale."""
        kept = self._kept.get(url)
        if kept is not None:
            age = time.monotonic() - kept[0]
            if age < (self._fresh_seconds if is_stale else KEPT_SECONDS):
                return kept[1]
        document = await self.get(url)
        if document.status == 200:
            self._kept[url] = (time.monotonic(), document)
            self._kept.move_to_end(url)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return document

    def forget(self) -> None:
        """Fetch everything anew."""
        self._kept.clear()


def check_address(url: str, *, field: str = "issuer") -> str:
    """An https address, or a plain http one of this machine; InvalidInput otherwise."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidInput(f"{url!r} is no address.", field=field) from error
    if not host or parts.username is not None or parts.fragment or not url.isascii() or not url.isprintable():
        raise InvalidInput(f"{url!r} is no address such as https://sso.example.com.", field=field)
    if parts.scheme != "https" and not is_local_http(url):
        raise InvalidInput(f"{url} must begin with https://; plain http is for this machine only.", field=field)
    return url


def is_proxied(url: str) -> bool:
    """Whether requests to an address go by a proxy, which then looks up its host."""
    parts = urlsplit(url)
    return parts.scheme in getproxies() and not proxy_bypass(parts.hostname or "")


def is_local_http(url: str) -> bool:
    """Whether an address is plain http of this machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and _is_local(parts.hostname or "")


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None,
    data: Mapping[str, str] | None = None,
    json: Mapping[str, Any] | None = None,
    connector: aiohttp.BaseConnector | None = None,
) -> Document:
    check_address(url)
    host = urlsplit(url).hostname or ""
    timeout = aiohttp.ClientTimeout(total=MAX_SECONDS, sock_connect=_CONNECT_SECONDS)
    wanted = {"Accept": "application/json", "User-Agent": "towline", **(headers or {})}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=not _is_local(host), connector=connector) as http,
            http.request(method, url, headers=wanted, data=data, json=json, allow_redirects=False) as answer,
        ):
            return Document(answer.status, _to_json(await _read(answer, host)))
    except TimeoutError as error:
        raise Unavailable(f"{host} did not answer within {MAX_SECONDS:g} s.", hint=_HINT) from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unavailable(f"{host} cannot be reached: {_reason(error)}.", hint=_HINT) from error


async def _read(answer: aiohttp.ClientResponse, host: str) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > MAX_BYTES:
            raise Unavailable(f"{host} answered with more than {MAX_BYTES} bytes.", hint=_HINT)
    return bytes(body)


def _to_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".")
