"""API keys: made, shown once, kept as a hash, revoked at once."""

import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, not_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import Caller, Permission, may
from towline.actions.allowed_addresses import is_within
from towline.actions.credentials import ALL_SCOPES, KEY_PREFIX, announce_ending
from towline.actions.platform import Platform
from towline.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from towline.infra.database import Work
from towline.infra.secrets import hash_token
from towline.models.accounts import ApiKey
from towline.models.base import utc_now
from towline.names import new_id

_ALPHABET: Final = string.digits + string.ascii_letters
_RANDOM_LENGTH: Final = 33
_CHECKSUM_LENGTH: Final = 6
_SHOWN_LENGTH: Final = 8


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, with its value, which is not kept."""

    key: ApiKey
    value: str


def make_token(prefix: str = KEY_PREFIX) -> str:
    """A new token: its prefix, 33 random characters (196 bits) in base 62, and a checksum that scanners can verify."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return prefix + random + _checksum(random)


def is_token(value: str, prefix: str = KEY_PREFIX) -> bool:
    """Whether a text has the form and checksum of a token made by `make_token`."""
    body = value.removeprefix(prefix)
    is_form = value.startswith(prefix) and len(body) == _RANDOM_LENGTH + _CHECKSUM_LENGTH
    return is_form and _checksum(body[:_RANDOM_LENGTH]) == body[_RANDOM_LENGTH:]


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What a key may do: permissions (or `*`) in one project or all, until when, and from which networks (or all)."""

    scopes: Sequence[str] = (ALL_SCOPES,)
    project_id: str | None = None
    expires_at: datetime | None = None
    addresses: Sequence[str] = ()


async def create_key(work: Work, caller: Caller, *, name: str, rights: KeyRights) -> NewKey:
    """A new key of the caller's user, never able to do more than the caller; InvalidInput for unknown scopes.

    Made by a key it has that one's networks unless it names fewer, ends when that one does, and with it.
    """
    wanted = replace(rights, scopes=_checked_scopes(rights.scopes))
    _check_within(caller, scopes=wanted.scopes, project_id=wanted.project_id)
    if wanted.expires_at is not None and wanted.expires_at <= utc_now():
        raise InvalidInput("expires_at is in the past.", field="expires_at")
    if caller.key_id:
        wanted = _narrowed(wanted, await _get_parent(work, caller))
    return await add_key(
        work,
        caller.user_id,
        name=name,
        scopes=wanted.scopes,
        project_id=wanted.project_id,
        expires_at=wanted.expires_at,
        addresses=wanted.addresses,
        parent_id=caller.key_id or None,
    )


async def add_key(
    work: Work,
    user_id: str,
    *,
    name: str,
    scopes: Sequence[str] = (ALL_SCOPES,),
    project_id: str | None = None,
    expires_at: datetime | None = None,
    addresses: Sequence[str] = (),
    parent_id: str | None = None,
    value: str = "",
) -> NewKey:
    """Store a key of a user, with a value given or made here."""
    token = value or make_token()
    key = ApiKey(
        id=new_id("key"),
        created_at=utc_now(),
        user_id=user_id,
        project_id=project_id,
        parent_id=parent_id,
        name=name,
        prefix=token[:_SHOWN_LENGTH],
        token_hash=hash_token(token),
        scopes=list(scopes),
        addresses=list(addresses),
        expires_at=expires_at,
    )
    work.session.add(key)
    await work.session.flush()
    return NewKey(key, token)


async def list_keys(
    session: AsyncSession,
    caller: Caller,
    *,
    limit: int,
    after: tuple[datetime, str] | None,
    condition: ColumnElement[bool] | None = None,
) -> Sequence[ApiKey]:
    """Keys that are not revoked, newest first: the caller's own, or (for administrators) those that fit a condition.

    Those a key of one project may see are of that project.
    """
    query = _visible_keys(caller) if condition is None else _open_keys().where(condition)
    query = query.order_by(ApiKey.created_at.desc(), ApiKey.id.desc()).limit(limit)
    if after is not None:
        query = query.where(tuple_(ApiKey.created_at, ApiKey.id) < after)
    return (await session.scalars(query)).all()


async def revoke_key(platform: Platform, work: Work, caller: Caller, *, key_id: str) -> tuple[ApiKey, int]:
    """Revoke a key with all keys it made, at once and everywhere; the key, and how many ended with it.

    NotFound for another user's unless the caller administers the instance, Forbidden for one that can do more.
    """
    is_administrator = may(caller, Permission.ADMINISTER, role=None)
    query = _open_keys() if is_administrator else _visible_keys(caller)
    key = (await work.session.scalars(query.where(ApiKey.id == key_id).with_for_update())).one_or_none()
    if key is None:
        raise NotFound("You have no such API key.")
    if key.id != caller.key_id and not is_administrator:
        _check_within(caller, scopes=key.scopes, project_id=key.project_id)
    return key, await end_keys(platform, work, [key.id]) - 1


async def end_keys(platform: Platform, work: Work, key_ids: Sequence[str]) -> int:
    """End keys with all keys they made, at once and everywhere; how many there were."""
    roots = select(ApiKey.id).where(ApiKey.id.in_(key_ids)).cte("ending", recursive=True)
    ending = roots.union(select(ApiKey.id).join(roots, ApiKey.parent_id == roots.c.id))
    ended = await work.session.scalars(
        update(ApiKey)
        .where(ApiKey.id.in_(select(ending.c.id)), ApiKey.revoked_at.is_(None))
        .values(revoked_at=utc_now())
        .returning(ApiKey.id)
        .execution_options(synchronize_session=False)
    )
    announce_ending(platform, work)
    return len(ended.all())


def _open_keys() -> Select[ApiKey]:
    is_over = ApiKey.expires_at.is_not(None) & (ApiKey.expires_at <= utc_now())
    return select(ApiKey).where(ApiKey.revoked_at.is_(None), not_(is_over))


def _visible_keys(caller: Caller) -> Select[ApiKey]:
    query = _open_keys().where(ApiKey.user_id == caller.user_id)
    return query if caller.project_id is None else query.where(ApiKey.project_id == caller.project_id)


def _checked_scopes(scopes: Sequence[str]) -> list[str]:
    if ALL_SCOPES in scopes:
        return [ALL_SCOPES]
    known = {permission.value for permission in Permission}
    unknown = sorted(set(scopes) - known)
    if unknown:
        raise InvalidInput(f"{unknown[0]!r} is no scope; there are *, {', '.join(sorted(known))}.", field="scopes")
    return sorted(set(scopes))


def _check_within(caller: Caller, *, scopes: Sequence[str], project_id: str | None) -> None:
    """A key makes and revokes only keys that can do no more than itself."""
    if caller.project_id is not None and project_id != caller.project_id:
        raise Forbidden("Your API key is of one project, so it can only deal with keys of that project.")
    if caller.scopes is not None and not set(scopes) <= caller.scopes:
        raise Forbidden("Your API key cannot deal with keys that can do more than itself.")


async def _get_parent(work: Work, caller: Caller) -> ApiKey:
    """The caller's key, held so that it cannot be revoked before what it makes is there to end with it."""
    query = select(ApiKey).where(ApiKey.id == caller.key_id).with_for_update(read=True)
    parent = (await work.session.scalars(query.execution_options(populate_existing=True))).one_or_none()
    if parent is None or parent.revoked_at is not None:
        raise Unauthenticated("The API key was revoked.", hint="Make a new key, or run `towline login`.")
    return parent


def _narrowed(wanted: KeyRights, parent: ApiKey) -> KeyRights:
    """The wanted rights within those of the key that makes it; Forbidden where they reach beyond its networks."""
    ends = [moment for moment in (parent.expires_at, wanted.expires_at) if moment is not None]
    addresses = wanted.addresses or parent.addresses
    outside = [network for network in addresses if parent.addresses and not is_within(network, parent.addresses)]
    if outside:
        raise Forbidden(f"Your API key is not valid in {outside[0]}, so it cannot make one that is.")
    return replace(wanted, expires_at=min(ends, default=None), addresses=addresses)


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
