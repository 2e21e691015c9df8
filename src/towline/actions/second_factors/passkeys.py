"""Passkeys: registered, listed, renamed, deleted, and what they prove."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import Caller
from towline.actions.audit import record
from towline.actions.installation import platform_url
from towline.actions.platform import Platform
from towline.actions.second_factors.ceremonies import (
    KnownCredential,
    RelyingParty,
    challenge_of,
    check_usable,
    has_gone_back,
    read_credential_id,
    read_user_handle,
    registration_options,
    relying_party,
    verify_assertion,
    verify_registration,
)
from towline.actions.tickets import issue_ticket, use_ticket
from towline.errors import Conflict, Forbidden, InvalidInput, NotFound
from towline.infra.database import Work
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.identities import Identity, IdentityProvider
from towline.models.second_factors import Passkey
from towline.names import new_id

REGISTRATION: Final = "passkey_registration"
MOST_PASSKEYS: Final = 20
WITHIN: Final = timedelta(minutes=5)
_COPIED: Final = "The passkey's count of signatures went back, so there may be a copy of it."


async def begin_passkey(platform: Platform, work: Work, user: User) -> tuple[str, dict[str, Any]]:
    """A ticket for one registration, and what the browser's `navigator.credentials.create` takes."""
    party = party_of(platform)
    check_usable(platform_url(platform), party)
    known = await list_passkeys(work.session, user.id)
    _check_room(len(known))
    ticket = await issue_ticket(work, REGISTRATION, user_id=user.id, valid_for=WITHIN)
    return ticket, registration_options(
        party,
        user_id=user.id,
        account=user.email,
        display_name=user.name or user.email,
        challenge=challenge_of(ticket),
        known=known_credentials(known),
    )


async def create_passkey(
    platform: Platform, work: Work, user: User, *, ticket: str, credential: Mapping[str, Any], name: str
) -> Passkey:
    """Keep a passkey that a browser made; InvalidInput when its proof is wrong, Conflict when it is known already."""
    begun = await use_ticket(work, REGISTRATION, ticket)
    if begun.user_id != user.id:
        raise NotFound("This was begun by someone else.", hint="Begin again.")
    challenge = challenge_of(ticket)
    made = await asyncio.to_thread(verify_registration, party_of(platform), credential, challenge=challenge)
    await work.session.scalar(select(User.id).where(User.id == user.id).with_for_update())
    _check_room(await count_passkeys(work.session, user.id))
    passkey_id = await work.session.scalar(
        insert(Passkey)
        .values(
            id=new_id("psk"),
            created_at=utc_now(),
            user_id=user.id,
            name=name,
            credential_id=made.credential_id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            transports=list(made.transports),
            is_backed_up=made.is_backed_up,
        )
        .on_conflict_do_nothing(index_elements=[Passkey.credential_id])
        .returning(Passkey.id)
    )
    if passkey_id is None:
        raise Conflict("This passkey is known already.", hint="Use another authenticator, or rename the one there is.")
    return await get_passkey(work.session, user.id, passkey_id)


async def list_passkeys(session: AsyncSession, user_id: str) -> Sequence[Passkey]:
    """A user's passkeys, oldest first; never more than MOST_PASSKEYS."""
    return (await session.scalars(select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id))).all()


async def count_passkeys(session: AsyncSession, user_id: str) -> int:
    """How many passkeys a user has."""
    query = select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)
    return await session.scalar(query) or 0


async def get_passkey(session: AsyncSession, user_id: str, passkey_id: str) -> Passkey:
    """One of a user's passkeys; NotFound for another's."""
    query = select(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == user_id)
    passkey = (await session.scalars(query.with_for_update())).one_or_none()
    if passkey is None:
        raise NotFound("You have no such passkey.", hint="List yours on the page for the security of your account.")
    return passkey


async def delete_passkey(work: Work, user_id: str, passkey_id: str) -> Passkey:
    """Delete one of a user's passkeys; Conflict when it is the last way in."""
    query = select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    user = (await work.session.scalars(query)).one()
    passkey = await get_passkey(work.session, user_id, passkey_id)
    is_last = await count_passkeys(work.session, user_id) == 1
    if is_last and not user.password_hash and not await _has_identity(work.session, user_id):
        hint = "Set a password or add another passkey first."
        raise Conflict("This passkey is the only way into the account.", hint=hint)
    await work.session.delete(passkey)
    await work.session.flush()
    return passkey


async def use_passkey(
    platform: Platform, work: Work, *, ticket: str, credential: Mapping[str, Any], user_id: str = "", address: str = ""
) -> Passkey:
    """The passkey that proved itself for a ticket, and so its user; `user_id` names whose it must be.

    InvalidInput for a wrong proof, Forbidden (and noted in the audit log) for one that may come from a copy.
    """
    passkey = await _find_claimed(work.session, credential, user_id)
    if passkey is None:
        raise InvalidInput("This passkey is not known here.", field="credential", hint="Sign in another way.")
    proof = await asyncio.to_thread(
        verify_assertion,
        party_of(platform),
        credential,
        challenge=challenge_of(ticket),
        public_key=passkey.public_key,
    )
    if has_gone_back(known=passkey.sign_count, told=proof.sign_count):
        await _note_copy(platform, passkey, told=proof.sign_count, address=address)
        raise Forbidden(_COPIED, hint="Sign in another way, delete this passkey, and register it again.")
    passkey.sign_count, passkey.is_backed_up = proof.sign_count, proof.is_backed_up
    passkey.last_used_at = utc_now()
    return passkey


def party_of(platform: Platform) -> RelyingParty:
    """The relying party of this installation."""
    return relying_party(host=platform.settings.effective_platform_host, url=platform_url(platform))


def known_credentials(passkeys: Sequence[Passkey]) -> list[KnownCredential]:
    """Passkeys as browsers are told of them."""
    return [KnownCredential(passkey.credential_id, passkey.transports) for passkey in passkeys]


async def _has_identity(session: AsyncSession, user_id: str) -> bool:
    """Whether a user can sign in by another provider."""
    query = select(Identity.id).join(IdentityProvider, IdentityProvider.id == Identity.provider_id)
    query = query.where(Identity.user_id == user_id, IdentityProvider.is_enabled)
    return await session.scalar(query.limit(1)) is not None


async def _find_claimed(session: AsyncSession, credential: Mapping[str, Any], user_id: str) -> Passkey | None:
    """Locked, so that of two proofs with the same count only one finds it unused.

    An answer that is to tell who signs in must hold the user's handle (WebAuthn, section 7.2, step 6).
    """
    query = select(Passkey).where(Passkey.credential_id == read_credential_id(credential)).with_for_update()
    passkey = (await session.scalars(query)).one_or_none()
    if passkey is None or (user_id and passkey.user_id != user_id):
        return None
    handles = {passkey.user_id, ""} if user_id else {passkey.user_id}
    return passkey if read_user_handle(credential) in handles else None


async def _note_copy(platform: Platform, passkey: Passkey, *, told: int, address: str) -> None:
    """In a transaction of its own, since the refusal undoes the one of the request."""
    caller = Caller(user_id=passkey.user_id, address=address)
    detail = {"reason": _COPIED, "known": passkey.sign_count, "told": told}
    async with platform.database.transaction() as work:
        record(work, caller, "passkeys.use", outcome="refused", object_id=passkey.id, detail=detail)


def _check_room(count: int) -> None:
    if count >= MOST_PASSKEYS:
        raise Conflict(f"You have {MOST_PASSKEYS} passkeys, the most there can be.", hint="Delete one first.")
