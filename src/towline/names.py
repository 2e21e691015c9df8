"""Pure rules for names: ids, slugs, host labels, container names."""

import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from towline.errors import InvalidInput

SLUG_PATTERN: Final = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
"""Projects and services: 1 to 40 of a-z, 0-9 and inner hyphens (a DNS label, RFC 1123, with room for a suffix)."""

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_LABEL_LENGTH: Final = 63
_LONGEST_REF: Final = 512
_FORBIDDEN_IN_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_RESERVED_LABELS: Final = ("traefik.", "towline.", "com.docker.")
_BUILD_LABELS: Final = frozenset({"towline.instance-of", "towline.project", "towline.service"})


def first_id(prefix: str, at: datetime) -> str:
    """The lowest id that can be made at a time: what was made before has a lower one."""
    return _to_id(prefix, int(at.timestamp() * 1000) << 80)


def new_id(prefix: str) -> str:
    """A new id such as `dep_01jd…`: prefix, then 48 bits of milliseconds and 80 random bits in base 32.

    Ids sort by creation time and are safe in URLs, file names and Docker labels.
    """
    return _to_id(prefix, (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80))


def check_slug(value: str, *, field: str = "name") -> str:
    """Return `value` when it is a valid slug; raise InvalidInput naming `field` otherwise."""
    if not re.fullmatch(SLUG_PATTERN, value):
        raise InvalidInput(
            f"{field} {value!r} is not a valid name: use 1 to 40 of a-z, 0-9 and inner hyphens.", field=field
        )
    return value


def to_slug(text: str, *, fallback: str = "app") -> str:
    """Any text turned into a valid slug: lower case, other characters become hyphens, at most 40 long."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    return slug or fallback


def to_label(text: str) -> str:
    """A DNS label (RFC 1123) of at most 63 characters; cut or changed text gets a hash suffix so no two meet."""
    slug = re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-") or "app"
    if slug == text and len(slug) <= _LABEL_LENGTH:
        return slug
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{slug[: _LABEL_LENGTH - 9].rstrip('-')}-{digest}"


def generated_label(*, project: str, service: str, environment: str, is_production: bool) -> str:
    """The host label of a workload: `{service}-{project}` in production, with the environment behind otherwise.

    A service named like its project is just `{project}`.
    """
    base = project if service == project else f"{service}-{project}"
    return to_label(base if is_production else f"{base}-{environment}")


def preview_label(*, project: str, branch: str | None = None, pr: int | None = None, custom: str | None = None) -> str:
    """The founding document's preview subdomain: `{project}-{pr-N|custom|branch}`, always a valid label."""
    suffix = f"pr-{pr}" if pr is not None else custom or branch or ""
    return to_label(f"{project}-{suffix}")


def instance_name(*, project: str, service: str, environment: str, release_number: int, instance_id: str) -> str:
    """A container name for people to read, unique by the tail of the instance's id."""
    return f"towline-{project}-{service}-{environment}-r{release_number}-{instance_id[-8:]}"


def check_host(value: str, *, field: str = "host") -> str:
    """Return a lower-case host name when valid by RFC 1123; raise InvalidInput naming `field` otherwise."""
    host = value.lower().rstrip(".")
    labels = host.split(".")
    is_valid = len(host) <= 253 and all(re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", part) for part in labels)
    if not is_valid or labels[-1].isdigit():
        raise InvalidInput(f"{field} {value!r} is not a host name such as shop.example.com.", field=field)
    return host


def wildcard_of(host: str) -> str:
    """The name that stands for a host and all its siblings: `*.example.com` for `shop.example.com`."""
    return f"*.{host.partition('.')[2]}"


def has_authority(host: str, *, email: str, directory_url: str) -> bool:
    """Whether a certificate is asked for: an e-mail is set, and Let's Encrypt is not asked for what is never public."""
    is_local = host == "localhost" or host.endswith((".localhost", ".local", ".test", ".internal"))
    return bool(email) and not (is_local and "letsencrypt.org" in directory_url)


def check_path_prefix(value: str, *, field: str = "path_prefix") -> str:
    """Return a normalised path prefix (`/` or `/api`); raise InvalidInput for anything but plain path characters."""
    if value in {"", "/"}:
        return "/"
    path = "/" + value.strip("/")
    if len(path) > 200 or not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path) or "/.." in path or "/./" in path + "/":
        raise InvalidInput(f"{field} {value!r} is not a plain path such as /api.", field=field)
    return path


def _to_id(prefix: str, number: int) -> str:
    return f"{prefix}_" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def find_reserved_labels(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Names of an image's labels that would steer Traefik, Towline or Docker's tools; containers inherit them.

    Those that a build of Towline's puts there do not count, nor Docker's where they are empty.
    """
    reserved = [name for name in labels if name.lower().startswith(_RESERVED_LABELS) and name not in _BUILD_LABELS]
    return tuple(sorted(name for name in reserved if labels[name] or not name.startswith("com.docker.")))


def is_git_ref(ref: str) -> bool:
    """Whether git takes it as the name of a branch, tag or commit, by the rules of `git check-ref-format`."""
    parts = ref.split("/")
    is_broken = (
        not 0 < len(ref) <= _LONGEST_REF
        or _FORBIDDEN_IN_REF.search(ref) is not None
        or any(part.startswith(".") or part.endswith(".lock") for part in parts)
        or ref.startswith(("-", "/"))
        or ref.endswith(("/", "."))
        or ref == "@"
    )
    return not is_broken
