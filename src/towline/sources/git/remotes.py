"""Addresses and refs of git repositories: which are accepted, and what they mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from towline.errors import InvalidInput, SourceUnavailable
from towline.infra.addresses import is_inside, is_local, is_named_local, resolve
from towline.names import is_git_ref

Protocol = Literal["https", "http", "ssh", "file"]
_PORTS = {"https": 443, "http": 80, "ssh": 22}
_LONGEST_URL = 2048
_SCP = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]*)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>[^-/:][^:]*)"
)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9a-fA-F:.]+")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository's address; `url` is what git gets and never has a password in it."""

    url: str
    protocol: Protocol
    host: str = ""
    port: int | None = None

    @property
    def origin(self) -> str:
        """Protocol, host and port as git names them when it asks for a credential."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}" + (f":{self.port}" if self.port else "")


def parse_remote(value: str, *, field: str = "url") -> Remote:
    """The address in `https://…`, `ssh://…`, `user@host:path`, `file:///…` or loopback `http://…`.

    InvalidInput naming `field` for anything else.
    """
    if not value or len(value) > _LONGEST_URL or re.search(r"[\s\x00-\x1f\x7f]", value):
        raise _refused(value, "is empty, too long or has spaces in it", field)
    if "://" not in value:
        return _parse_scp(value, field)
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise _refused(value, "is not a URL", field) from error
    if parts.query or parts.fragment:
        raise _refused(value, "has a query or fragment", field)
    if parts.scheme == "file":
        return _parse_file(value, parts.netloc, parts.path, field)
    if parts.scheme not in _PORTS:
        raise _refused(value, "is neither https nor ssh", field)
    return _parse_network(value, parts.scheme, parts.username, parts.password, parts.hostname or "", port, field)


def check_ref(ref: str, *, field: str = "ref") -> str:
    """Return a branch, tag, full ref or full commit id valid by the rules of `git check-ref-format`.

    Empty is valid and means the default. InvalidInput naming `field` otherwise.
    """
    if ref and not is_git_ref(ref):
        raise InvalidInput(f"{field} {ref[:200]!r} is not the name of a branch or tag, nor a commit id.", field=field)
    return ref


def is_commit(ref: str) -> bool:
    """Whether a ref is a full commit id."""
    return _COMMIT.fullmatch(ref) is not None


def candidate_refs(ref: str) -> Sequence[str]:
    """What a ref may be called on the server, in the order to try: a branch comes before a tag."""
    if not ref:
        return ("HEAD",)
    if is_commit(ref) or ref.startswith("refs/"):
        return (ref,)
    return (f"refs/heads/{ref}", f"refs/tags/{ref}")


def resolve_submodule(parent: Remote, address: str, *, name: str) -> Remote:
    """The address of a submodule, which may be relative to its parent's; SourceUnavailable when it is not accepted."""
    base = parent.url.rstrip("/")
    rest = address
    while rest.startswith(("./", "../")):
        step, _, rest = rest.partition("/")
        if step == "..":
            base = base[: max(base.rfind("/"), base.rfind(":") if parent.protocol == "ssh" else -1) + 1].rstrip("/")
    if rest != address:
        rest = f"{base}{rest}" if base.endswith(":") else f"{base}/{rest}"
    try:
        remote = parse_remote(rest)
        is_inside = rest == address or remote.host == parent.host
    except InvalidInput:
        remote, is_inside = parent, False
    if not is_inside:
        raise SourceUnavailable(
            f"The submodule {name!r} has the address {address[:200]!r}, which Towline does not fetch from.",
            hint="Use an https or ssh address in .gitmodules, or switch submodules off for this service.",
        )
    return remote


async def check_allowed(remote: Remote, *, allows_local: bool, closed_networks: Sequence[str] = ()) -> Sequence[str]:
    """The addresses the host has now; InvalidInput when one is this machine's, or in a network that is not open.

    Empty when the host is not known here, as behind a proxy: git then says what is wrong.
    """
    if allows_local or remote.protocol == "file":
        if not allows_local:
            raise InvalidInput("Only instance administrators may deploy from file:// addresses.", field="url")
        return ()
    addresses = await resolve(remote.host, remote.port or _PORTS[remote.protocol])
    if is_named_local(remote.host) or any(is_local(address) for address in addresses):
        raise InvalidInput(f"The host {remote.host!r} is this machine; only administrators may use it.", field="url")
    if any(is_inside(address, closed_networks) for address in addresses):
        raise InvalidInput(
            f"The host {remote.host!r} is in a network of Towline's instances; only administrators may use it.",
            field="url",
        )
    return addresses


def _parse_network(
    value: str, protocol: str, user: str | None, password: str | None, host: str, port: int | None, field: str
) -> Remote:
    if password is not None or (user is not None and protocol != "ssh"):
        raise InvalidInput(
            f"{field} holds a user name or password.", field=field, hint="Put it into the source's credential instead."
        )
    if not _HOST.fullmatch(host) or (user is not None and not _USER.fullmatch(user)):
        raise _refused(value, "has no usable host or user name", field)
    if protocol == "http" and not is_named_local(host):
        raise _refused(value, "is plain http, which is only for this machine", field)
    path = value.split("://", 1)[1].partition("/")[2]
    if not path.strip("/"):
        raise _refused(value, "names no repository", field)
    kept: Protocol = "https" if protocol == "https" else "ssh" if protocol == "ssh" else "http"
    remote = Remote("", kept, host, port)
    prefix = f"{protocol}://{user}@" if user else f"{protocol}://"
    return Remote(f"{prefix}{remote.origin.split('://', 1)[1]}/{path}", kept, host, port)


def _parse_scp(value: str, field: str) -> Remote:
    found = _SCP.fullmatch(value)
    if found is None:
        raise _refused(value, "is neither an https or ssh URL nor user@host:path", field)
    return Remote(value, "ssh", found["host"].lower())


def _parse_file(value: str, host: str, path: str, field: str) -> Remote:
    if host or not path.startswith("/"):
        raise _refused(value, "is not of the form file:///absolute/path", field)
    return Remote(value, "file")


def _refused(value: str, reason: str, field: str) -> InvalidInput:
    return InvalidInput(
        f"{field} {value[:200]!r} {reason}.",
        field=field,
        hint="Use an address such as https://github.com/shop/api.git or git@github.com:shop/api.git.",
    )
