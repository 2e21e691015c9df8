"""The first administrator and its keys: one from the settings for unattended installs, one for this machine's CLI."""

import re
from typing import Final

from sqlalchemy import func, select, update

from towline.actions.audit import record_on_server
from towline.actions.credentials import CREDENTIAL_PATTERN
from towline.actions.keys import add_key, end_keys
from towline.actions.platform import Platform
from towline.errors import InvalidInput
from towline.infra.database import Work
from towline.models.accounts import ApiKey, User
from towline.models.base import utc_now
from towline.names import new_id

SHORTEST_BOOTSTRAP_KEY: Final = 32
BOOTSTRAP_NAME: Final = "bootstrap"
LOCAL_NAME: Final = "this machine"
PLACEHOLDER_EMAIL: Final = "administrator@localhost"
_LOCK: Final = 7_420_004


async def ensure_bootstrap_key(platform: Platform) -> None:
    """At the first start, make `TOWLINE_BOOTSTRAP_API_KEY` a key of an administrator; never again afterwards.

    Raises InvalidInput when the value is too short or cannot be sent in a header.
    """
    value = platform.settings.bootstrap_api_key.get_secret_value()
    if not value:
        return
    if len(value) < SHORTEST_BOOTSTRAP_KEY or not re.fullmatch(CREDENTIAL_PATTERN, value):
        raise InvalidInput(
            f"TOWLINE_BOOTSTRAP_API_KEY must be {SHORTEST_BOOTSTRAP_KEY} to 512 printable characters without spaces; "
            f"it has {len(value)}.",
            hint="Make one with `openssl rand -hex 32`.",
            field="bootstrap_api_key",
        )
    async with platform.database.transaction() as work:
        administrator = await ensure_administrator(work)
        query = select(ApiKey.id).where(ApiKey.user_id == administrator.id, ApiKey.name == BOOTSTRAP_NAME)
        if (await work.session.scalars(query)).first() is None:
            made = await add_key(work, administrator.id, name=BOOTSTRAP_NAME, value=value)
            record_on_server(work, "keys.create", object_id=made.key.id, detail={"name": BOOTSTRAP_NAME})


async def create_local_key(platform: Platform) -> str:
    """A new administrator's key for the CLI on this machine; those made for it before are revoked.

    It takes their place as the key that made others, which therefore go on.
    """
    async with platform.database.transaction() as work:
        administrator = await ensure_administrator(work)
        made = await add_key(work, administrator.id, name=LOCAL_NAME)
        is_older = (ApiKey.user_id == administrator.id) & (ApiKey.name == LOCAL_NAME) & (ApiKey.id != made.key.id)
        older = select(ApiKey.id).where(is_older, ApiKey.revoked_at.is_(None))
        ended = (await work.session.scalars(older.with_for_update())).all()
        await work.session.execute(update(ApiKey).where(ApiKey.parent_id.in_(ended)).values(parent_id=made.key.id))
        await end_keys(platform, work, ended)
        record_on_server(
            work, "keys.create", object_id=made.key.id, detail={"name": LOCAL_NAME, "instead_of": [*ended]}
        )
    return made.value


async def ensure_administrator(work: Work) -> User:
    """The oldest administrator, made when there is none; one process at a time."""
    await work.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    query = select(User).where(User.is_administrator, User.disabled_at.is_(None)).order_by(User.created_at).limit(1)
    user = (await work.session.scalars(query)).first()
    if user is None:
        user = User(
            id=new_id("usr"),
            created_at=utc_now(),
            email=PLACEHOLDER_EMAIL,
            name="Administrator",
            is_administrator=True,
        )
        work.session.add(user)
        await work.session.flush()
    return user
