"""Which second factors a user has, and what follows when the first one comes or the last one goes."""

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.second_factors.recovery_codes import (
    count_recovery_codes,
    create_recovery_codes,
    delete_recovery_codes,
)
from towline.infra.database import Work
from towline.models.second_factors import Passkey, RecoveryCode, TotpSecret


class Factor(StrEnum):
    """What can be asked for after the first factor."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery_code"


async def list_factors(session: AsyncSession, user_id: str) -> frozenset[str]:
    """The names of a user's second factors; empty when the first factor is enough.

    Recovery codes stand in for another factor and are none by themselves.
    """
    has_totp = exists().where(TotpSecret.user_id == user_id, TotpSecret.confirmed_at.is_not(None))
    has_passkey = exists().where(Passkey.user_id == user_id)
    has_codes = exists().where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    row = (await session.execute(select(has_totp, has_passkey, has_codes))).one()
    found = {factor.value for factor, is_there in zip(Factor, row, strict=True) if is_there}
    return frozenset(found if found != {Factor.RECOVERY_CODE.value} else ())


async def ensure_recovery_codes(work: Work, user_id: str) -> Sequence[str]:
    """New recovery codes for a user who has none left, to be shown once; nothing for one who has some."""
    if await count_recovery_codes(work.session, user_id):
        return ()
    return await create_recovery_codes(work, user_id)


async def delete_factors(work: Work, user_id: str) -> frozenset[str]:
    """Delete all second factors of a user, passkeys included, and every code; the names of what there was."""
    found = await list_factors(work.session, user_id)
    for table in (TotpSecret, Passkey, RecoveryCode):
        await work.session.execute(delete(table).where(table.user_id == user_id))
    return found


async def forget_useless_codes(work: Work, user_id: str) -> None:
    """Delete the recovery codes of a user who has no other second factor any more."""
    if not await list_factors(work.session, user_id):
        await delete_recovery_codes(work, user_id)
