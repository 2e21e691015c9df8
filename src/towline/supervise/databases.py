"""The database and queue servers of an installation: embedded ones, unless the user gives URLs of their own."""

from collections.abc import Mapping
from dataclasses import dataclass

from towline.supervise.layout import Layout
from towline.supervise.postgres import postgres_url, prepare_postgres
from towline.supervise.program import Part
from towline.supervise.valkey import prepare_valkey, valkey_url


@dataclass(frozen=True, slots=True)
class Databases:
    """Where PostgreSQL and Redis answer, and the parts to run for that (none for servers of the user's own)."""

    database_url: str
    redis_url: str
    parts: tuple[Part, ...]


def prepare_databases(layout: Layout, settings: Mapping[str, str]) -> Databases:
    """Prepare the embedded servers that `settings` (TOWLINE_… variables) do not replace."""
    parts: list[Part] = []
    if not settings.get("TOWLINE_DATABASE_URL"):
        parts.append(prepare_postgres(layout))
    if not settings.get("TOWLINE_REDIS_URL"):
        parts.append(prepare_valkey(layout))
    return find_databases(layout, settings, parts=tuple(parts))


def find_databases(layout: Layout, settings: Mapping[str, str], *, parts: tuple[Part, ...] = ()) -> Databases:
    """Where the servers answer, without touching anything."""
    return Databases(
        settings.get("TOWLINE_DATABASE_URL") or postgres_url(layout.sockets / "postgres"),
        settings.get("TOWLINE_REDIS_URL") or valkey_url(layout.sockets / "valkey" / "valkey.sock"),
        parts,
    )
