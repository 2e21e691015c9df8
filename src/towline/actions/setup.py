"""The one-time set-up link: whoever opens it first gets an administrator's API key, nobody afterwards."""

import secrets
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, select, update

from towline.actions.first_keys import ensure_administrator
from towline.actions.keys import add_key
from towline.actions.platform import Platform
from towline.errors import NotFound
from towline.infra.secrets import hash_token
from towline.models.accounts import SetupLink
from towline.models.base import utc_now

_VALID_FOR: Final = timedelta(days=1)
_KEY_NAME: Final = "set-up link"


async def create_setup_link(platform: Platform) -> str:
    """A fresh token, which takes the place of an unused one; empty once a link was used."""
    token = secrets.token_urlsafe(32)
    async with platform.database.transaction() as work:
        if await work.session.scalar(select(SetupLink.used_at).where(SetupLink.used_at.is_not(None)).limit(1)):
            return ""
        await work.session.execute(delete(SetupLink))
        work.session.add(SetupLink(token_hash=hash_token(token), expires_at=utc_now() + _VALID_FOR))
    return token


async def is_setup_open(platform: Platform, token: str) -> bool:
    """Whether a token can still be used."""
    query = select(SetupLink.token_hash).where(*_usable(token))
    async with platform.database.transaction() as work:
        return await work.session.scalar(query) is not None


async def use_setup_link(platform: Platform, token: str) -> str:
    """Use a link up and return a new administrator's API key; NotFound when it was used, replaced or is too old."""
    async with platform.database.transaction() as work:
        statement = update(SetupLink).where(*_usable(token)).values(used_at=utc_now()).returning(SetupLink.token_hash)
        if await work.session.scalar(statement) is None:
            raise NotFound(
                "This set-up link was used already, or is too old.",
                hint="Run `towline up` on the server again, or make a key there with `towline keys create`.",
            )
        administrator = await ensure_administrator(work)
        made = await add_key(work, administrator.id, name=_KEY_NAME)
    return made.value


def _usable(token: str) -> tuple[ColumnElement[bool], ...]:
    return (SetupLink.token_hash == hash_token(token), SetupLink.used_at.is_(None), SetupLink.expires_at > utc_now())
