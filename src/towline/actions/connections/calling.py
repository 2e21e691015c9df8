"""Calling a git platform's API through a connection: held to checked addresses, bounded, its refusals explained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlencode, urlsplit

from towline.actions.connections.administration import get_host_api, open_key
from towline.actions.platform import Platform
from towline.errors import HostRefused, HostUnavailable, InvalidInput, Unavailable
from towline.infra.addresses import is_inside, is_local, is_named_local, resolve
from towline.infra.documents import Document, is_proxied
from towline.models.connections import Connection
from towline.sources.hosting import ApiRequest, GitHost, HostKey, Rights

TO_FETCH: Final = {"contents": "read"}
TO_LIST: Final = {"metadata": "read"}
TO_REPORT: Final = {"statuses": "write"}
TO_COMMENT: Final = {"pull_requests": "write"}
TO_HOOK: Final = {"repository_hooks": "write"}
_PASSING: Final = frozenset({408, 425, 429})
_LONGEST_MESSAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A way to a platform's API with a key that may be used now."""

    platform: Platform
    connection: Connection
    api: GitHost
    key: HostKey

    async def send(self, request: ApiRequest) -> Any:
        """The JSON of the answer; HostUnavailable, or HostRefused with what the platform says."""
        return await _ask(self.platform, self.connection, self.api, request, self.api.headers(self.key))


async def open_line(platform: Platform, connection: Connection, *, repository: str = "", rights: Rights) -> Line:
    """A line for a repository (`owner/name`), or for all that the connection reaches; an App gets a new token."""
    api, key = get_host_api(platform, connection.kind), open_key(platform, connection)
    if key.app_id:

        async def ask(request: ApiRequest, headers: Mapping[str, str]) -> Any:
            return await _ask(platform, connection, api, request, headers)

        key = await api.open_app(key, ask, repository=repository, owner=connection.owner, rights=rights)
    return Line(platform, connection, api, key)


def api_address(api: GitHost, connection: Connection) -> str:
    """Where a connection's API is."""
    return connection.api_url or api.api_url(connection.host)


async def _ask(
    platform: Platform, connection: Connection, api: GitHost, request: ApiRequest, headers: Mapping[str, str]
) -> Any:
    url = api_address(api, connection) + request.path
    if request.query:
        url = f"{url}?{urlencode(request.query)}"
    addresses = await _check_open(platform, connection, url)
    try:
        document = await platform.documents.send(
            request.method, url, headers=headers, body=request.body, addresses=addresses
        )
    except Unavailable as error:
        raise HostUnavailable(f"{api.title} does not answer: {error.message}") from error
    return _read(api, connection, request, document)


def _read(api: GitHost, connection: Connection, request: ApiRequest, document: Document) -> Any:
    status, message = document.status, _message_of(document)
    if 200 <= status < 300 or api.is_so_already(request, status, message):
        return document.content
    said = f"{api.title} ({connection.host}) answered {status}" + (f": {message}" if message else "")
    if status >= 500 or status in _PASSING or "rate limit" in message.lower():
        raise HostUnavailable(f"{said}.")
    raise HostRefused(f"{said}.")


async def _check_open(platform: Platform, connection: Connection, url: str) -> tuple[str, ...]:
    """The addresses of a host that is not this machine nor one of its instances, unless an administrator says so."""
    if connection.allows_local:
        return ()
    parts = urlsplit(url)
    host = parts.hostname or ""
    addresses = tuple(await resolve(host, parts.port or 443))
    settings = platform.settings
    closed = tuple(filter(None, (settings.network_pool, settings.internal_address)))
    if is_named_local(host) or any(is_local(one) or is_inside(one, closed) for one in addresses):
        raise InvalidInput(f"The host {host!r} is this machine; only administrators may use it.", field="api_url")
    if not addresses and not is_proxied(url):
        # Asked again a moment later, the name could lead anywhere.
        raise HostUnavailable(f"The host {host!r} is not known here.")
    return addresses


def _message_of(document: Document) -> str:
    """What the platform says went wrong, fit to be shown."""
    content = document.as_object()
    said: object = content.get("message") or content.get("error_description") or content.get("error") or ""
    if isinstance(said, dict):
        said = cast("Mapping[str, object]", said).get("message") or ""
    text = said if isinstance(said, str) else str(said)
    shown = "".join(letter if letter.isprintable() else " " for letter in text)[:_LONGEST_MESSAGE]
    return shown.strip().rstrip(".")
