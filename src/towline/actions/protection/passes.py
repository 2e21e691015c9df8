"""Passes: what a browser shows at the gate of an environment, bound to one host and to what gave it.

A pass is a sealed text in a cookie of the app's host. One of a member names the session that it was given for, and is
worth nothing once that has ended or the member may not see the project any more. One of a visitor with the share link
carries a hash of the link's secret, and is worth nothing once there is another. Nothing of it is kept.
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import orjson
from sqlalchemy import bindparam, select

from towline.actions.access import Caller, Permission, read_project
from towline.actions.credentials import find_session_caller
from towline.actions.platform import Platform
from towline.errors import KeyMismatch, NotFound
from towline.infra.reads import Read
from towline.infra.secrets import hash_token
from towline.models.base import utc_now
from towline.models.projects import Environment

VALID_FOR: Final = timedelta(days=30)
"""Longest time until a visitor has to show anew who they are."""

_LONGEST: Final = 2000
_GUARDED: Final = Read(
    select(
        Environment.id,
        Environment.project_id,
        Environment.protection,
        Environment.share_secret,
    ).where(Environment.id == bindparam("environment_id"), Environment.deleted_at.is_(None))
)


@dataclass(frozen=True, slots=True)
class Gate:
    """What the rows say of one environment's gate."""

    environment_id: str
    project_id: str
    protection: str
    share_secret: bytes | None

    @property
    def is_open(self) -> bool:
        """Whether everybody may pass."""
        return self.protection == "none"


async def find_gate(platform: Platform, environment_id: str) -> Gate | None:
    """The gate of an environment; None when there is no such environment."""
    rows = await _GUARDED.fetch(platform.database, environment_id=environment_id)
    if not rows:
        return None
    row = rows[0]
    return Gate(row["id"], row["project_id"], row["protection"], row["share_secret"])


def make_member_pass(platform: Platform, gate_id: str, *, host: str, session_id: str) -> str:
    """A pass for somebody whose session may see the project."""
    return _seal(platform, gate_id, host, {"session": session_id})


def make_link_pass(platform: Platform, gate: Gate, *, host: str, secret: str) -> str | None:
    """A pass for somebody who knows the secret of the share link; None when it is not that."""
    if not is_share_secret(platform, gate, secret):
        return None
    return _seal(platform, gate.environment_id, host, {"link": hash_token(secret)})


async def is_admitted(platform: Platform, gate: Gate, *, host: str, value: str) -> bool:
    """Whether a pass still opens a gate."""
    found = _open(platform, gate, host, value)
    if "link" in found:
        kept = _open_secret(platform, gate)
        return gate.protection == "link" and bool(kept) and hmac.compare_digest(found["link"], hash_token(kept))
    if "session" in found:
        caller = await find_session_caller(platform, found["session"])
        return caller is not None and await may_visit(platform, gate, caller)
    return False


async def may_visit(platform: Platform, gate: Gate, caller: Caller) -> bool:
    """Whether a person may see the project that a gate belongs to."""
    try:
        await read_project(platform.database, caller, gate.project_id, permission=Permission.VIEW_PROJECTS)
    except NotFound:
        return False
    return True


def is_share_secret(platform: Platform, gate: Gate, secret: str) -> bool:
    """Whether this is the secret of the environment's share link."""
    kept = _open_secret(platform, gate)
    is_same = bool(kept) and hmac.compare_digest(kept.encode(), secret.encode(errors="replace"))
    return gate.protection == "link" and is_same


def share_secret_context(environment: Environment) -> str:
    """What a sealed share secret is bound to."""
    return _secret_context(environment.id)


def _secret_context(environment_id: str) -> str:
    return f"share-secret:{environment_id}"


def _open_secret(platform: Platform, gate: Gate) -> str:
    if not gate.share_secret:
        return ""
    return platform.secrets.open_text(gate.share_secret, context=_secret_context(gate.environment_id))


def _context(gate_id: str, host: str) -> str:
    return f"pass:{gate_id}:{host.lower()}"


def _seal(platform: Platform, gate_id: str, host: str, content: Mapping[str, str]) -> str:
    ends_at = int((utc_now() + VALID_FOR).timestamp())
    sealed = platform.secrets.seal(orjson.dumps({**content, "ends_at": ends_at}), context=_context(gate_id, host))
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _open(platform: Platform, gate: Gate, host: str, value: str) -> dict[str, Any]:
    """What a pass says; nothing where it is none of this gate and host, or too old."""
    if not value or len(value) > _LONGEST:
        return {}
    try:
        sealed = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        content: dict[str, Any] = orjson.loads(
            platform.secrets.open(sealed, context=_context(gate.environment_id, host))
        )
    except (KeyMismatch, ValueError):
        return {}
    return content if content["ends_at"] > utc_now().timestamp() else {}
