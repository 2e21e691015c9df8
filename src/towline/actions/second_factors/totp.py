"""One-time codes of an authenticator app (RFC 6238): set up, confirmed, and each code taken once."""

import asyncio
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.platform import Platform
from towline.errors import Conflict, InvalidInput, NotFound
from towline.infra.database import Work
from towline.infra.lazily import load
from towline.infra.secrets import SecretBox
from towline.models.base import utc_now
from towline.models.second_factors import TotpSecret

ISSUER: Final = "Towline"
STEP_SECONDS: Final = 30
DRIFT_STEPS: Final = 1
"""How far the clock of an app may be off; RFC 6238, section 5.2, recommends at most one step."""

_SECRET_LENGTH: Final = 32
_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class NewTotp:
    """What an authenticator app needs, shown once: the secret, the same as an address, and that as a picture."""

    secret: str
    uri: str
    qr_svg: str


def make_secret() -> str:
    """A new secret: 160 bits in base 32, the length of RFC 4226, section 4."""
    return "".join(secrets.choice(_BASE32) for _ in range(_SECRET_LENGTH))


def find_step(secret: str, code: str, *, at: datetime, after: int) -> int | None:
    """The time step a code belongs to, among those around `at` and behind step `after`; None when it fits none."""
    totp: Any = load("pyotp").TOTP(secret)
    present = int(at.timestamp()) // STEP_SECONDS
    given = code.replace(" ", "").encode()
    for step in range(max(present - DRIFT_STEPS, after + 1), present + DRIFT_STEPS + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), given):
            return step
    return None


async def begin_totp(platform: Platform, work: Work, user_id: str, *, account: str) -> NewTotp:
    """A new secret for an app to read; it counts for nothing until a code confirms it. Conflict when one is on."""
    found = await _lock(work.session, user_id)
    if found is not None and found.confirmed_at is not None:
        raise Conflict("One-time codes are already on.", hint="Turn them off first to set up another app.")
    secret = make_secret()
    row = found or TotpSecret(user_id=user_id)
    row.secret = platform.secrets.seal(secret, context=totp_context(row))
    row.created_at, row.last_used_step = utc_now(), 0
    work.session.add(row)
    await work.session.flush()
    return await asyncio.to_thread(_shown, secret, account)


async def confirm_totp(platform: Platform, work: Work, user_id: str, *, code: str) -> None:
    """Turn one-time codes on by the first code of the app; InvalidInput for a wrong one."""
    row = await _lock(work.session, user_id)
    if row is None:
        raise NotFound("No authenticator app is being set up.", hint="Begin the set-up first.")
    if row.confirmed_at is not None:
        raise Conflict("One-time codes are already on.", hint="There is nothing more to do.")
    if not _take(platform.secrets, row, code):
        hint = "Type the code the app shows now; the clocks of both devices must be right within half a minute."
        raise InvalidInput("The code is wrong.", field="code", hint=hint)
    row.confirmed_at = utc_now()


async def find_confirmed_at(session: AsyncSession, user_id: str) -> datetime | None:
    """Since when a user's one-time codes are on; None while they are not."""
    return await session.scalar(select(TotpSecret.confirmed_at).where(TotpSecret.user_id == user_id))


async def use_totp_code(box: SecretBox, session: AsyncSession, user_id: str, *, code: str) -> bool:
    """Whether a code is right and new; it is used up then, with all before it."""
    row = await _lock(session, user_id)
    return row is not None and row.confirmed_at is not None and _take(box, row, code)


async def delete_totp(work: Work, user_id: str) -> None:
    """Turn one-time codes off; NotFound when they are not on."""
    query = delete(TotpSecret).where(TotpSecret.user_id == user_id).returning(TotpSecret.confirmed_at)
    if (await work.session.execute(query)).first() is None:
        raise NotFound("One-time codes are not on.", hint="There is nothing to turn off.")


def totp_context(row: TotpSecret) -> str:
    """What a user's sealed secret is bound to."""
    return f"totp:{row.user_id}"


def _take(box: SecretBox, row: TotpSecret, code: str) -> bool:
    secret = box.open_text(row.secret, context=totp_context(row))
    step = find_step(secret, code, at=utc_now(), after=row.last_used_step)
    if step is not None:
        row.last_used_step = step
    return step is not None


async def _lock(session: AsyncSession, user_id: str) -> TotpSecret | None:
    """Locked, so that of two requests with the same code only one finds it unused."""
    query = select(TotpSecret).where(TotpSecret.user_id == user_id).with_for_update()
    return (await session.scalars(query)).one_or_none()


def _shown(secret: str, account: str) -> NewTotp:
    uri: str = load("pyotp").TOTP(secret).provisioning_uri(name=account, issuer_name=ISSUER)
    picture = BytesIO()
    code: Any = load("segno").make(uri, micro=False)
    code.save(picture, kind="svg", scale=4, border=4, xmldecl=False, svgns=True, light="#fff", dark="#000")
    return NewTotp(secret, uri, picture.getvalue().decode().strip())
