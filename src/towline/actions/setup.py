"""The one-time set-up link: whoever opens it first becomes the first administrator, nobody afterwards."""

import secrets
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, select, update

from towline.actions.account import make_password_hash
from towline.actions.first_keys import PLACEHOLDER_EMAIL, ensure_administrator
from towline.actions.limits import Visit
from towline.actions.platform import Platform
from towline.actions.sign_in import SecondFactorNeeded, SignedIn, complete_first_factor
from towline.actions.users import create_user, find_user
from towline.errors import Conflict, NotFound
from towline.infra.database import Work
from towline.infra.secrets import hash_token
from towline.models.accounts import SetupLink, User
from towline.models.base import utc_now

_VALID_FOR: Final = timedelta(days=1)


async def create_setup_link(work: Work) -> str:
    """A fresh token, which takes the place of an unused one; empty once a link was used."""
    token = secrets.token_urlsafe(32)
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


async def complete_setup(
    platform: Platform, token: str, *, email: str, name: str, password: str, visit: Visit
) -> SignedIn | SecondFactorNeeded:
    """Use a link up: the first administrator gets a name, an address and a password, and is signed in.

    NotFound when the link was used, replaced or is too old; InvalidInput for a weak password, which leaves it open.
    """
    if not await is_setup_open(platform, token):
        raise setup_gone()
    password_hash = await make_password_hash(platform, password, words=(email, name), field="password")
    async with platform.database.transaction() as work:
        statement = update(SetupLink).where(*_usable(token)).values(used_at=utc_now()).returning(SetupLink.token_hash)
        if await work.session.scalar(statement) is None:
            raise setup_gone()
        user = await _make_administrator(work, email=email, name=name)
        user.password_hash, user.password_changed_at = password_hash, utc_now()
        return await complete_first_factor(
            platform, work, user, method="setup", device=visit.device, address=visit.address
        )


async def _make_administrator(work: Work, *, email: str, name: str) -> User:
    """The administrator that the server's own keys belong to, if it is nobody's yet; another one otherwise."""
    user = await ensure_administrator(work)
    if user.email != PLACEHOLDER_EMAIL:
        return await create_user(work, email=email, name=name, is_administrator=True)
    if await find_user(work.session, email) is not None:
        raise Conflict(f"{email} has an account already.", hint="Use another address.")
    user.email, user.name = email, name
    return user


def _usable(token: str) -> tuple[ColumnElement[bool], ...]:
    return (SetupLink.token_hash == hash_token(token), SetupLink.used_at.is_(None), SetupLink.expires_at > utc_now())


def setup_gone() -> NotFound:
    """What is said of a link that was used already, or is too old."""
    return NotFound(
        "This set-up link was used already, or is too old.",
        hint="Run `towline up` on the server again, or sign in; `towline account password` there sets a password.",
    )
