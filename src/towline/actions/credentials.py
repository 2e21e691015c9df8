"""Credentials: who calls by an API key or a session, found by one indexed read, and whether both still hold."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import DateTime, and_, any_, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from towline.actions.access import Caller
from towline.actions.allowed_addresses import is_allowed
from towline.actions.platform import Platform
from towline.errors import AddressNotAllowed, ProofNeeded, Unauthenticated
from towline.infra.database import Work
from towline.infra.reads import Read
from towline.infra.secrets import hash_token
from towline.models.accounts import ApiKey, User
from towline.models.base import utc_now
from towline.models.sessions import Session

KEY_PREFIX: Final = "twl_"
SESSION_PREFIX: Final = "tws_"
CREDENTIAL_PATTERN: Final = r"[!-~]{16,512}"
"""What can be a credential at all; those made here have a prefix, the bootstrap key is the installer's own."""

ALL_SCOPES: Final = "*"
ENDINGS: Final = "towline:endings"
"""The channel on which every process hears that keys or sessions have ended."""

_USE_INTERVAL: Final = timedelta(minutes=1)
_PROOF_VALID_FOR: Final = timedelta(minutes=10)
_SIGN_IN_HINT: Final = "Sign in again, or run `towline login`."


@dataclass(frozen=True, slots=True)
class Credential:
    """A caller as an API key or a session tells it, with its user; read by one query.

    `method` and `authenticated_at` are a session's: how its person signed in, and when they last proved who they are;
    `is_renewal_due`, whether it must get another value.
    """

    caller: Caller
    user_name: str = ""
    key_name: str = ""
    method: str = ""
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    authenticated_at: datetime | None = None
    has_password: bool = False
    is_renewal_due: bool = False

    @property
    def is_use_old(self) -> bool:
        """Whether the last noted use is old enough to note a new one."""
        return self.last_used_at is None or utc_now() - self.last_used_at > _USE_INTERVAL

    @property
    def id(self) -> str:
        """Id of the key or session; empty for nobody."""
        return self.caller.key_id or self.caller.session_id


async def find_credential(platform: Platform, token: str, *, address: str = "") -> Credential:
    """Who calls with this token; Unauthenticated saying whether it is unknown, ended, expired or of nobody now.

    AddressNotAllowed for a key that is used from outside its networks.
    """
    find = _find_session if token.startswith(SESSION_PREFIX) else _find_key
    return await find(platform, token, address)


async def note_use(platform: Platform, credential: Credential) -> None:
    """Remember when and from where a key or session was last used, at most once a minute whoever asks."""
    now, address = utc_now(), credential.caller.address
    if credential.caller.key_id:
        is_old = ApiKey.last_used_at.is_(None) | (ApiKey.last_used_at < now - _USE_INTERVAL)
        statement = update(ApiKey).where(ApiKey.id == credential.id, is_old)
        statement = statement.values(last_used_at=now, last_used_address=address)
    else:
        statement = update(Session).where(Session.id == credential.id, Session.last_used_at < now - _USE_INTERVAL)
        statement = statement.values(last_used_at=now, address=address)
    async with platform.database.transaction() as work:
        await work.session.execute(statement.execution_options(synchronize_session=False))


async def is_still_valid(platform: Platform, caller: Caller) -> bool:
    """Whether a caller's key or session still holds and still means the same rights; for what lasts long."""
    return caller in await list_still_valid(platform, [caller])


async def list_still_valid(platform: Platform, callers: Collection[Caller]) -> frozenset[Caller]:
    """Those of some callers whose key or session still holds and still means the same rights."""
    rows: list[Mapping[str, Any]] = []
    if keys := sorted({caller.key_id for caller in callers if caller.key_id}):
        rows += await _VALID_KEYS.fetch(platform.database, ids=keys, now=utc_now())
    if sessions := sorted({caller.session_id for caller in callers if caller.session_id}):
        times = {"now": utc_now(), "idle_since": utc_now() - platform.settings.session_idle}
        rows += await _VALID_SESSIONS.fetch(platform.database, ids=sessions, **times)
    rights = {row["id"]: _rights(_caller(row)) for row in rows}
    return frozenset(caller for caller in callers if rights.get(caller.key_id or caller.session_id) == _rights(caller))


async def find_session_caller(platform: Platform, session_id: str) -> Caller | None:
    """Whose session it is, as long as that has not ended; for what was given to a session and ends with it."""
    times = {"now": utc_now(), "idle_since": utc_now() - platform.settings.session_idle}
    rows = await _VALID_SESSIONS.fetch(platform.database, ids=[session_id], **times)
    return _caller(rows[0]) if rows else None


def announce_ending(platform: Platform, work: Work) -> None:
    """Once this work is committed, let every process look at once whose connections must end."""

    async def tell() -> None:
        await platform.streams.publish(ENDINGS, b"ended")

    work.after_commit(tell)


def check_recent_proof(credential: Credential) -> None:
    """Return when the person has proved lately who they are; ProofNeeded otherwise.

    For changes that a stolen session must not be able to make: second factors, passkeys, e-mail address.
    """
    proved_at = credential.authenticated_at
    if not credential.caller.session_id or proved_at is None:
        raise ProofNeeded("This needs a session, not an API key.", hint="Sign in on the sign-in page.")
    if utc_now() - proved_at > _PROOF_VALID_FOR:
        raise ProofNeeded("This needs a fresh proof that it is you.")


async def _find_key(platform: Platform, token: str, address: str) -> Credential:
    rows = await _KEY.fetch(platform.database, token_hash=hash_token(token))
    if not rows:
        raise Unauthenticated("The API key is not known here.")
    row = rows[0]
    if row["revoked_at"] is not None:
        raise Unauthenticated("The API key was revoked.", hint="Make a new key, or run `towline login`.")
    if row["expires_at"] is not None and row["expires_at"] <= utc_now():
        raise Unauthenticated("The API key has expired.", hint="Make a new key, or run `towline login`.")
    if row["disabled_at"] is not None:
        raise Unauthenticated("The user of the API key is disabled.", hint="Ask an administrator.")
    if not is_allowed(address, row["addresses"]):
        raise _not_allowed(row, address)
    return Credential(
        caller=_caller(row, address),
        user_name=row["user_name"],
        key_name=row["name"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        has_password=row["has_password"],
    )


def _not_allowed(row: Mapping[str, Any], address: str) -> AddressNotAllowed:
    error = AddressNotAllowed(f"The API key may not be used from {address or 'an unknown address'}.")
    error.user_id, error.key_id = row["user_id"], row["id"]
    return error


async def _find_session(platform: Platform, token: str, address: str) -> Credential:
    rows = await _SESSION.fetch(platform.database, token_hash=hash_token(token), now=utc_now())
    if not rows or rows[0]["revoked_at"] is not None:
        raise Unauthenticated("The session was ended.", hint=_SIGN_IN_HINT)
    row, now = rows[0], utc_now()
    if row["expires_at"] <= now or row["last_used_at"] <= now - platform.settings.session_idle:
        raise Unauthenticated("The session has expired.", hint=_SIGN_IN_HINT)
    if row["disabled_at"] is not None:
        raise Unauthenticated("The user of the session is disabled.", hint="Ask an administrator.")
    return Credential(
        caller=_caller(row, address),
        user_name=row["user_name"],
        method=row["method"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        authenticated_at=row["authenticated_at"],
        has_password=row["has_password"],
        is_renewal_due=row["is_renewal_due"],
    )


def _caller(row: Mapping[str, Any], address: str = "") -> Caller:
    is_session = row["id"].startswith("ses_")
    scopes: Sequence[str] = (ALL_SCOPES,) if is_session else row["scopes"]
    return Caller(
        user_id=row["user_id"],
        is_administrator=row["is_administrator"],
        key_id="" if is_session else row["id"],
        session_id=row["id"] if is_session else "",
        project_id=None if is_session else row["project_id"],
        scopes=None if ALL_SCOPES in scopes else frozenset(scopes),
        address=address,
        email=row["email"],
    )


def _rights(caller: Caller) -> tuple[object, ...]:
    return (caller.user_id, caller.is_administrator, caller.project_id, caller.scopes)


_USER: Final = (User.email, User.name.label("user_name"), User.is_administrator, User.disabled_at)
_HAS_PASSWORD: Final = (User.password_hash != "").label("has_password")
_KEY_COLUMNS: Final = (ApiKey.id, ApiKey.user_id, ApiKey.project_id, ApiKey.scopes, *_USER)
_SESSION_COLUMNS: Final = (Session.id, Session.user_id, *_USER)
_IDS: Final = any_(bindparam("ids", type_=ARRAY(TEXT)))
_HASH: Final = bindparam("token_hash", type_=TEXT)
_NOW: Final = bindparam("now", type_=DateTime(timezone=True))
_IDLE_SINCE: Final = bindparam("idle_since", type_=DateTime(timezone=True))

_KEY: Final = Read(
    select(
        *_KEY_COLUMNS,
        _HAS_PASSWORD,
        ApiKey.name,
        ApiKey.addresses,
        ApiKey.expires_at,
        ApiKey.revoked_at,
        ApiKey.last_used_at,
    )
    .join(User, User.id == ApiKey.user_id)
    .where(ApiKey.token_hash == bindparam("token_hash"))
)
_SESSION: Final = Read(
    select(
        *_SESSION_COLUMNS,
        _HAS_PASSWORD,
        Session.method,
        Session.expires_at,
        Session.revoked_at,
        Session.last_used_at,
        Session.authenticated_at,
        Session.is_renewal_due,
    )
    .join(User, User.id == Session.user_id)
    .where(or_(Session.token_hash == _HASH, and_(Session.previous_hash == _HASH, Session.previous_until > _NOW)))
)
_VALID_KEYS: Final = Read(
    select(*_KEY_COLUMNS)
    .join(User, User.id == ApiKey.user_id)
    .where(ApiKey.id == _IDS, ApiKey.revoked_at.is_(None), User.disabled_at.is_(None))
    .where(or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > _NOW))
)
_VALID_SESSIONS: Final = Read(
    select(*_SESSION_COLUMNS)
    .join(User, User.id == Session.user_id)
    .where(Session.id == _IDS, Session.revoked_at.is_(None), User.disabled_at.is_(None))
    .where(Session.expires_at > _NOW, Session.last_used_at > _IDLE_SINCE)
)
