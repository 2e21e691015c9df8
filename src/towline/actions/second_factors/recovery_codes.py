"""Recovery codes: ten at a time, shown once, kept as hashes, each good for one sign-in without the other factor."""

import secrets
from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from towline.infra.database import Work
from towline.infra.secrets import hash_token
from towline.models.base import utc_now
from towline.models.second_factors import RecoveryCode

COUNT: Final = 10
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH: Final = 16
_GROUP: Final = 4
_LOOK_ALIKES: Final = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})


def make_code() -> str:
    """A new code such as `x3v5-mdcq-2r7s-8t9v`: 80 bits, in Crockford's base 32, which survives being typed."""
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(text[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def code_hash(user_id: str, code: str) -> str:
    """The hash under which a user's code is kept, however it was typed."""
    return hash_token(f"{user_id}:{code.lower().translate(_LOOK_ALIKES)}")


async def create_recovery_codes(work: Work, user_id: str) -> Sequence[str]:
    """Ten new codes in place of all older ones; their values are not kept."""
    await delete_recovery_codes(work, user_id)
    codes = [make_code() for _ in range(COUNT)]
    work.session.add_all(RecoveryCode(user_id=user_id, code_hash=code_hash(user_id, code)) for code in codes)
    await work.session.flush()
    return codes


async def use_recovery_code(session: AsyncSession, user_id: str, *, code: str) -> bool:
    """Whether a code is one of the user's that was not used; it is used up then, in the same statement."""
    query = (
        update(RecoveryCode)
        .where(RecoveryCode.user_id == user_id, RecoveryCode.code_hash == code_hash(user_id, code))
        .where(RecoveryCode.used_at.is_(None))
        .values(used_at=utc_now())
        .returning(RecoveryCode.code_hash)
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(query)).first() is not None


async def count_recovery_codes(session: AsyncSession, user_id: str) -> int:
    """How many unused codes a user has."""
    query = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return await session.scalar(query.select_from(RecoveryCode)) or 0


async def delete_recovery_codes(work: Work, user_id: str) -> None:
    """Make every code of a user useless."""
    await work.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
