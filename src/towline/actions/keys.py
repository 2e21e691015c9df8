"""API keys: made, shown once, found by their hash, revoked at once."""

import secrets
import string
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, bindparam, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import Caller, Permission
from towline.actions.platform import Platform
from towline.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from towline.infra.database import Work
from towline.infra.reads import Read
from towline.infra.secrets import hash_token
from towline.models.accounts import ApiKey, User
from towline.models.base import utc_now
from towline.names import new_id

KEY_PREFIX: Final = "twl_"
KEY_PATTERN: Final = r"[!-~]{16,512}"
"""What can be a key at all; those made here are `make_token`'s, the bootstrap key is the installer's own."""

ALL_SCOPES: Final = "*"
_ALPHABET: Final = string.digits + string.ascii_letters
_RANDOM_LENGTH: Final = 33
_CHECKSUM_LENGTH: Final = 6
_SHOWN_LENGTH: Final = 8
_USE_INTERVAL: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A caller as an API key tells it: the key and its user, read by one query."""

    caller: Caller
    key_name: str
    user_name: str
    expires_at: datetime | None
    last_used_at: datetime | None

    @property
    def is_use_old(self) -> bool:
        """Whether the last noted use is old enough to note a new one."""
        return self.last_used_at is None or utc_now() - self.last_used_at > _USE_INTERVAL


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


async def find_key_use(platform: Platform, token: str, *, address: str = "") -> KeyUse:
    """Who calls with this token; Unauthenticated saying whether it is unknown, revoked, expired or of nobody now."""
    rows = await _KEY_USE.fetch(platform.database, token_hash=hash_token(token))
    if not rows:
        raise Unauthenticated("The API key is not known here.")
    row = rows[0]
    if row["revoked_at"] is not None:
        raise Unauthenticated("The API key was revoked.", hint="Make a new key, or run `towline login`.")
    if row["expires_at"] is not None and row["expires_at"] <= utc_now():
        raise Unauthenticated("The API key has expired.", hint="Make a new key, or run `towline login`.")
    if row["disabled_at"] is not None:
        raise Unauthenticated("The user of the API key is disabled.", hint="Ask an administrator.")
    return _key_use(row, address)


async def note_key_use(platform: Platform, key_id: str, *, address: str) -> None:
    """Remember when and from where a key was last used, at most once a minute whoever asks."""
    is_old = ApiKey.last_used_at.is_(None) | (ApiKey.last_used_at < utc_now() - _USE_INTERVAL)
    async with platform.database.transaction() as work:
        await work.session.execute(
            update(ApiKey)
            .where(ApiKey.id == key_id, is_old)
            .values(last_used_at=utc_now(), last_used_address=address)
            .execution_options(synchronize_session=False)
        )


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


def _key_use(row: Mapping[str, Any], address: str) -> KeyUse:
    scopes: list[str] = row["scopes"]
    caller = Caller(
        user_id=row["user_id"],
        is_administrator=row["is_administrator"],
        key_id=row["id"],
        project_id=row["project_id"],
        scopes=None if ALL_SCOPES in scopes else frozenset(scopes),
        address=address,
        email=row["email"],
    )
    return KeyUse(caller, row["name"], row["user_name"], row["expires_at"], row["last_used_at"])


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


_KEY_USE: Final = Read(
    select(
        ApiKey.id,
        ApiKey.name,
        ApiKey.user_id,
        ApiKey.project_id,
        ApiKey.scopes,
        ApiKey.expires_at,
        ApiKey.revoked_at,
        ApiKey.last_used_at,
        User.email,
        User.name.label("user_name"),
        User.is_administrator,
        User.disabled_at,
    )
    .join(User, User.id == ApiKey.user_id)
    .where(ApiKey.token_hash == bindparam("token_hash"))
)
