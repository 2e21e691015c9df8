"""Keeping credentials for git platforms, and finding the one that a repository belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import Caller, Permission, may
from towline.actions.platform import Platform
from towline.errors import Conflict, InvalidInput
from towline.infra.database import Work
from towline.infra.documents import check_address
from towline.models.base import utc_now
from towline.models.connections import Connection
from towline.names import new_id
from towline.sources.hosting import GitHost, HostKey


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What is to be kept; an empty `host` is the platform's public one."""

    kind: str
    secret: str = field(repr=False)
    host: str = ""
    owner: str = ""
    username: str = ""
    app_id: str = ""
    api_url: str = ""


def connection_context(connection: Connection) -> str:
    """What a connection's sealed secret is bound to."""
    return f"connection:{connection.id}"


def get_host_api(platform: Platform, kind: str) -> GitHost:
    """The API of a kind of platform; InvalidInput when it is not installed here."""
    source = platform.sources.get(kind)
    if source is None or source.host_api is None:
        raise InvalidInput(f"There is no git platform {kind!r} here.", field="platform")
    return source.host_api


def find_host_api(platform: Platform, kind: str) -> GitHost | None:
    """The API of a kind of source; None when it has none."""
    source = platform.sources.get(kind)
    return None if source is None else source.host_api


async def create_connection(
    platform: Platform, work: Work, caller: Caller, *, project_id: str | None, new: NewConnection
) -> Connection:
    """Keep a credential; Conflict when there is one for the same place, InvalidInput for what cannot be one."""
    api = get_host_api(platform, new.kind)
    key = HostKey(new.secret.strip(), new.username, new.app_id)
    api.check_key(key)
    if new.api_url:
        check_address(new.api_url, field="api_url")
    connection = Connection(
        id=new_id("con"),
        created_at=utc_now(),
        project_id=project_id,
        kind=new.kind,
        host=new.host or api.public_host,
        owner=new.owner.lower(),
        api_url=new.api_url.rstrip("/"),
        username=new.username,
        app_id=new.app_id,
        allows_local=may(caller, Permission.ADMINISTER, role=None),
        created_by=caller.user_id,
    )
    await _check_new(work, connection)
    connection.secret = platform.secrets.seal(key.secret, context=connection_context(connection))
    work.session.add(connection)
    await work.session.flush()
    return connection


async def find_row(session: AsyncSession, connection_id: str) -> Connection | None:
    """A connection by id."""
    return (await session.scalars(select(Connection).where(Connection.id == connection_id))).one_or_none()


async def list_connections(
    session: AsyncSession, condition: ColumnElement[bool], *, after: tuple[str, str] | None, limit: int
) -> Sequence[Connection]:
    """Connections that fit the condition, by host, behind a position (host and id)."""
    query = select(Connection).where(condition).order_by(Connection.host, Connection.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(Connection.host, Connection.id) > after)
    return (await session.scalars(query)).all()


async def find_connection(
    session: AsyncSession, *, project_id: str, repository: str, kind: str = ""
) -> Connection | None:
    """The connection for `host/owner/name` that a project uses: the closest owner first, then the project's own."""
    host, _, name = repository.lower().partition("/")
    query = select(Connection).where(
        Connection.host == host, or_(Connection.project_id == project_id, Connection.project_id.is_(None))
    )
    if kind:
        query = query.where(Connection.kind == kind)
    found = [one for one in await session.scalars(query.order_by(Connection.id)) if _covers(one, name)]
    return max(found, key=lambda one: (len(one.owner), one.project_id is not None), default=None)


def open_key(platform: Platform, connection: Connection) -> HostKey:
    """What a connection holds."""
    secret = platform.secrets.open_text(connection.secret, context=connection_context(connection))
    return HostKey(secret, connection.username, connection.app_id)


def _covers(connection: Connection, name: str) -> bool:
    return not connection.owner or name.startswith(f"{connection.owner}/")


async def _check_new(work: Work, new: Connection) -> None:
    query = select(Connection.id).where(
        Connection.project_id.is_not_distinct_from(new.project_id),
        Connection.kind == new.kind,
        Connection.host == new.host,
        Connection.owner == new.owner,
    )
    if await work.session.scalar(query) is not None:
        place = f"{new.host}/{new.owner}" if new.owner else new.host
        raise Conflict(f"There is a connection for {place} already.", hint="Delete it first to change it.")
