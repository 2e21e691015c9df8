"""API keys: made, shown once, kept as a hash, revoked at once."""

import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import Caller, Permission
from towline.actions.credentials import ALL_SCOPES, KEY_PREFIX
from towline.errors import Forbidden, InvalidInput, NotFound
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


def make_token() -> str:
    """A new token: `twl_`, 33 random characters (196 bits) in base 62, and a checksum that scanners can verify."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return KEY_PREFIX + random + _checksum(random)


def is_token(value: str) -> bool:
    """Whether a text has the form and checksum of a token made by `make_token`."""
    body = value.removeprefix(KEY_PREFIX)
    is_form = value.startswith(KEY_PREFIX) and len(body) == _RANDOM_LENGTH + _CHECKSUM_LENGTH
    return is_form and _checksum(body[:_RANDOM_LENGTH]) == body[_RANDOM_LENGTH:]


async def create_key(
    work: Work,
    caller: Caller,
    *,
    name: str,
    scopes: Sequence[str],
    project_id: str | None,
    expires_at: datetime | None,
) -> NewKey:
    """A new key of the caller's user, never able to do more than the caller; InvalidInput for unknown scopes."""
    wanted = _checked_scopes(scopes)
    _check_within(caller, scopes=wanted, project_id=project_id)
    if expires_at is not None and expires_at <= utc_now():
        raise InvalidInput("expires_at is in the past.", field="expires_at")
    expires_at = await _earliest_end(work, caller, expires_at)
    return await add_key(work, caller.user_id, name=name, scopes=wanted, project_id=project_id, expires_at=expires_at)


async def add_key(
    work: Work,
    user_id: str,
    *,
    name: str,
    scopes: Sequence[str] = (ALL_SCOPES,),
    project_id: str | None = None,
    expires_at: datetime | None = None,
    value: str = "",
) -> NewKey:
    """Store a key of a user, with a value given or made here."""
    token = value or make_token()
    key = ApiKey(
        id=new_id("key"),
        created_at=utc_now(),
        user_id=user_id,
        project_id=project_id,
        name=name,
        prefix=token[:_SHOWN_LENGTH],
        token_hash=hash_token(token),
        scopes=list(scopes),
        expires_at=expires_at,
    )
    work.session.add(key)
    await work.session.flush()
    return NewKey(key, token)


async def list_keys(
    session: AsyncSession, caller: Caller, *, limit: int, after: tuple[datetime, str] | None
) -> Sequence[ApiKey]:
    """The caller's keys that are not revoked, newest first; those a key of one project may see are of that project."""
    query = _visible_keys(caller).order_by(ApiKey.created_at.desc(), ApiKey.id.desc()).limit(limit)
    if after is not None:
        query = query.where(tuple_(ApiKey.created_at, ApiKey.id) < after)
    return (await session.scalars(query)).all()


async def revoke_key(work: Work, caller: Caller, key_id: str) -> ApiKey:
    """Revoke one of the caller's keys, at once; NotFound for another's, Forbidden for one that can do more."""
    key = (await work.session.scalars(_visible_keys(caller).where(ApiKey.id == key_id).with_for_update())).one_or_none()
    if key is None:
        raise NotFound("You have no such API key.")
    if key.id != caller.key_id:
        _check_within(caller, scopes=key.scopes, project_id=key.project_id)
    key.revoked_at = utc_now()
    return key


def _visible_keys(caller: Caller) -> Select[ApiKey]:
    query = select(ApiKey).where(ApiKey.user_id == caller.user_id, ApiKey.revoked_at.is_(None))
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


async def _earliest_end(work: Work, caller: Caller, wanted: datetime | None) -> datetime | None:
    own = await work.session.scalar(select(ApiKey.expires_at).where(ApiKey.id == caller.key_id))
    ends = [moment for moment in (own, wanted) if moment is not None]
    return min(ends, default=None)


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
