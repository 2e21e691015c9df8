"""Webhook secrets of services: sealed, shown once, replaced without a moment in which neither is valid."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.keys import make_token
from towline.actions.platform import Platform
from towline.actions.sealed_columns import webhook_secret_context
from towline.errors import Conflict, NotFound
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.services import Service
from towline.models.webhook_secrets import WebhookSecret
from towline.names import new_id

HOOK_PREFIX: Final = "twlw_"
_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret just made, with its value, which is kept sealed only."""

    secret: WebhookSecret
    value: str


async def rotate_secret(platform: Platform, work: Work, service_id: str, *, overlap: timedelta) -> NewSecret:
    """A new secret of a service; those before it end after the overlap, or when they would have ended already.

    Conflict when the service has too many valid ones.
    """
    now = utc_now()
    await work.session.execute(select(Service.id).where(Service.id == service_id).with_for_update())
    is_of_service = WebhookSecret.service_id == service_id
    await work.session.execute(delete(WebhookSecret).where(is_of_service, WebhookSecret.expires_at <= now))
    is_later = or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > now + overlap)
    await work.session.execute(update(WebhookSecret).where(is_of_service, is_later).values(expires_at=now + overlap))
    valid = await work.session.scalars(select(WebhookSecret.id).where(is_of_service, _is_valid(now)))
    if len(valid.all()) >= _MOST:
        raise Conflict(f"The service has {_MOST} valid webhook secrets already.", hint="Delete one of them first.")
    value, secret = make_token(HOOK_PREFIX), WebhookSecret(id=new_id("whs"), created_at=now, service_id=service_id)
    secret.value = platform.secrets.seal(value, context=webhook_secret_context(secret))
    work.session.add(secret)
    await work.session.flush()
    return NewSecret(secret, value)


async def list_secrets(
    session: AsyncSession, service_id: str, *, limit: int, after: tuple[datetime, str] | None = None
) -> Sequence[WebhookSecret]:
    """Valid secrets of a service, newest first."""
    query = select(WebhookSecret).where(WebhookSecret.service_id == service_id, _is_valid(utc_now()))
    if after is not None:
        query = query.where(tuple_(WebhookSecret.created_at, WebhookSecret.id) < after)
    query = query.order_by(WebhookSecret.created_at.desc(), WebhookSecret.id.desc()).limit(limit)
    return (await session.scalars(query)).all()


async def list_valid_secrets(platform: Platform, session: AsyncSession, *, service_id: str) -> list[bytes]:
    """The values that a signature of a service's webhook may be made with, newest first; none when it has none."""
    rows = await list_secrets(session, service_id, limit=_MOST)
    return [platform.secrets.open(row.value, context=webhook_secret_context(row)) for row in rows]


async def delete_secret(work: Work, service_id: str, *, secret_id: str) -> None:
    """End a secret of a service now; NotFound when it has no such one."""
    condition = (WebhookSecret.id == secret_id) & (WebhookSecret.service_id == service_id) & _is_valid(utc_now())
    deleted = await work.session.scalar(delete(WebhookSecret).where(condition).returning(WebhookSecret.id))
    if deleted is None:
        raise NotFound("The service has no such webhook secret.", hint="List them with `towline webhooks`.")


def _is_valid(now: datetime) -> ColumnElement[bool]:
    return or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > now)
