"""What a user signs in with beside or instead of a password: one-time codes, recovery codes, passkeys."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Identified, Row, utc_now


class TotpSecret(Row):
    """The sealed secret of a user's authenticator app; counts only once `confirmed_at` is set.

    `last_used_step` is the time step (RFC 6238) of the last accepted code: only later ones are taken.
    """

    __tablename__ = "totp_secrets"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    confirmed_at: Mapped[datetime | None]
    last_used_step: Mapped[int] = mapped_column(BigInteger, default=0)


class RecoveryCode(Row):
    """One code that stands in for a lost second factor, hashed; works once."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    used_at: Mapped[datetime | None]


class Passkey(Identified, Row):
    """A WebAuthn credential: its public key, and how often its authenticator says it has signed."""

    __tablename__ = "passkeys"
    __table_args__ = (Index(None, "user_id"),)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str]
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    transports: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    is_backed_up: Mapped[bool] = mapped_column(default=False)
    last_used_at: Mapped[datetime | None]
