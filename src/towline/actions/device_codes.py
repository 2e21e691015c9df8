"""Signing a device in by a code that a person who is signed in elsewhere approves (RFC 8628)."""

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import delete, func, select

from towline.actions.access import Caller
from towline.actions.audit import record
from towline.actions.installation import platform_url
from towline.actions.keys import NewKey, add_key
from towline.actions.limits import network_of
from towline.actions.pacing import count_start
from towline.actions.platform import Platform
from towline.errors import Forbidden, NotFound, TooManyTries
from towline.infra.database import Work
from towline.infra.secrets import hash_token
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.identities import DeviceCode
from towline.names import new_id

VALID_FOR: Final = timedelta(minutes=10)
KEY_VALID_FOR: Final = timedelta(days=90)
INTERVAL_SECONDS: Final = 3
SLOWER_BY_SECONDS: Final = 5
MOST_OPEN: Final = 20_000
MOST_OF_ADDRESS: Final = 20
_ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628 6.1: no vowels, so no words; 8 letters are 34 bits, for ten minutes."""
_LENGTH: Final = 8
_KEPT: Final = timedelta(minutes=10)


class DeviceStatus(StrEnum):
    """What a device is told when it asks."""

    PENDING = "pending"
    SLOW_DOWN = "slow_down"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class NewDeviceCode:
    """A code just made, with the device's half, which is not kept."""

    row: DeviceCode
    device_code: str
    url: str


@dataclass(frozen=True, slots=True)
class DeviceAnswer:
    """What a device is told; `key` and `user` once it is approved, `interval_seconds` until it may ask again."""

    status: DeviceStatus
    interval_seconds: int
    key: NewKey | None = None
    user: User | None = None


async def start(platform: Platform, work: Work, *, client_name: str, address: str) -> NewDeviceCode:
    """Codes for a device that wants to be signed in; TooManyTries when too many wait already."""
    await count_start(platform, "sign-in of a device", source=network_of(address), most=MOST_OF_ADDRESS)
    await work.session.execute(delete(DeviceCode).where(DeviceCode.expires_at < utc_now() - _KEPT))
    await _check_room(work)
    device_code = secrets.token_urlsafe(32)
    now = utc_now()
    row = DeviceCode(
        id=new_id("dvc"),
        created_at=now,
        code_hash=hash_token(device_code),
        user_code=await _free_user_code(work),
        client_name=client_name,
        address=address,
        status="pending",
        interval_seconds=INTERVAL_SECONDS,
        expires_at=now + VALID_FOR,
    )
    work.session.add(row)
    await work.session.flush()
    return NewDeviceCode(row, device_code, f"{platform_url(platform)}/device")


async def ask(work: Work, device_code: str, *, address: str) -> DeviceAnswer:
    """How far a device is; the first time after the approval with the key, which is made now and shown once.

    NotFound for a code that is unknown or was used up.
    """
    query = select(DeviceCode).where(DeviceCode.code_hash == hash_token(device_code)).with_for_update()
    row = (await work.session.scalars(query)).one_or_none()
    if row is None or row.status == "used":
        raise NotFound("There is no such device code, or it was used.", hint="Run `towline login` again.")
    if row.status == "denied":
        return DeviceAnswer(DeviceStatus.DENIED, row.interval_seconds)
    if row.expires_at <= utc_now():
        return DeviceAnswer(DeviceStatus.EXPIRED, row.interval_seconds)
    if row.status == "approved":
        return await _hand_over(work, row, address=address)
    return _told_to_wait(row)


async def get_pending(work: Work, user_code: str) -> DeviceCode:
    """The code that a person typed, locked, while it waits for an answer; NotFound otherwise."""
    query = select(DeviceCode).where(
        DeviceCode.user_code == canonical_code(user_code),
        DeviceCode.status == "pending",
        DeviceCode.expires_at > utc_now(),
    )
    row = (await work.session.scalars(query.with_for_update())).one_or_none()
    if row is None:
        raise NotFound(
            "No device waits with this code: it is mistyped, was answered, or is too old.",
            hint="Compare it with what the device shows, or run `towline login` there again.",
        )
    return row


async def answer(work: Work, caller: Caller, user_code: str, *, is_approved: bool) -> DeviceCode:
    """Approve or deny a device, as the person of a session; Forbidden for API keys, which could widen themselves."""
    if not caller.session_id:
        raise Forbidden(
            "Devices are approved by a person, not by an API key.", hint="Open the page /device and sign in."
        )
    row = await get_pending(work, user_code)
    row.status = "approved" if is_approved else "denied"
    row.user_id = caller.user_id
    await work.session.flush()
    return row


def canonical_code(typed: str) -> str:
    """A code as it is kept, however it was typed: `wdjb mjht` becomes `WDJB-MJHT`."""
    letters = re.sub(r"[^A-Z]", "", typed[:64].upper())
    return f"{letters[:4]}-{letters[4:]}"


def _told_to_wait(row: DeviceCode) -> DeviceAnswer:
    now = utc_now()
    earliest = None if row.last_polled_at is None else row.last_polled_at + timedelta(seconds=row.interval_seconds)
    row.last_polled_at = now
    if earliest is None or now >= earliest - timedelta(seconds=0.5):
        return DeviceAnswer(DeviceStatus.PENDING, row.interval_seconds)
    row.interval_seconds = min(row.interval_seconds + SLOWER_BY_SECONDS, 60)
    return DeviceAnswer(DeviceStatus.SLOW_DOWN, row.interval_seconds)


async def _hand_over(work: Work, row: DeviceCode, *, address: str) -> DeviceAnswer:
    user = (await work.session.scalars(select(User).where(User.id == row.user_id))).one()
    row.status = "used"
    if user.disabled_at is not None:
        return DeviceAnswer(DeviceStatus.DENIED, row.interval_seconds)
    key = await add_key(work, user.id, name=row.client_name, expires_at=utc_now() + KEY_VALID_FOR)
    caller = Caller(user.id, user.is_administrator, address=address, email=user.email)
    record(work, caller, "keys.create", object_id=key.key.id, detail={"name": row.client_name, "device": row.id})
    return DeviceAnswer(DeviceStatus.APPROVED, row.interval_seconds, key, user)


async def _check_room(work: Work) -> None:
    if (await work.session.scalar(select(func.count()).select_from(DeviceCode)) or 0) >= MOST_OPEN:
        raise TooManyTries(
            "Too many devices wait to be signed in.",
            hint="Wait ten minutes, or use `towline login --with-key`.",
        )


async def _free_user_code(work: Work) -> str:
    for _ in range(5):
        letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        code = f"{letters[:4]}-{letters[4:]}"
        query = select(DeviceCode.id).where(DeviceCode.user_code == code, DeviceCode.status == "pending")
        if await work.session.scalar(query) is None:
            return code
    raise TooManyTries("Too many devices wait to be signed in.")
