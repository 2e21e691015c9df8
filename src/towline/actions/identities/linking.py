"""From someone at a provider to a user here, and the identities that users have.

Who is known by provider and subject signs in. Otherwise only a verified address counts: it leads to a user who is here
already only where an administrator trusts the provider for its addresses, and to a new user only where the provider
allows sign-up. See docs/decisions/0012-only-trusted-addresses-link.md.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import Caller
from towline.actions.audit import record
from towline.actions.identities.arriving import Arrival
from towline.actions.identities.base import Profile
from towline.actions.invitations import accept_by_address, has_open_invitation
from towline.actions.platform import Platform
from towline.actions.tickets import issue_ticket, use_ticket
from towline.actions.users import create_user
from towline.errors import Conflict, Forbidden, NotFound, SignInRefused
from towline.infra.database import Work
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.identities import Identity, IdentityProvider
from towline.models.second_factors import Passkey
from towline.names import new_id

LINK_VALID_FOR: Final = timedelta(minutes=10)
MOST_IDENTITIES: Final = 20
_LINK: Final = "identity_link"
_ADDRESS: Final = re.compile(r"[!-?A-~]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


async def find_or_add_user(platform: Platform, work: Work, arrival: Arrival, *, address: str) -> User:
    """The user that an arrival leads to, linked or added where that is allowed; SignInRefused otherwise.

    `address` is where the browser is, for the audit log.
    """
    profile = arrival.profile
    provider = await _get_enabled(work, arrival.provider.id)
    identity = await _find_identity(work, provider, profile.subject)
    if identity is not None:
        identity.email, identity.last_used_at = profile.email, utc_now()
        return (await work.session.scalars(select(User).where(User.id == identity.user_id))).one()
    email = canonical_address(profile.email) if profile.is_email_verified else ""
    if not email:
        raise SignInRefused(
            f"{provider.title} does not say that you have a verified e-mail address, so it cannot be told who you are.",
            hint=f"Verify your address at {provider.title}; or sign in another way and link it in your account.",
        )
    user = (await work.session.scalars(select(User).where(func.lower(User.email) == email))).one_or_none()
    if user is None:
        user = await _sign_up(platform, work, provider, name=profile.name, email=email, address=address)
    elif not provider.is_trusted:
        raise SignInRefused(
            f"There is a user with this address already, whom {provider.title} is not linked with.",
            hint=f"Sign in the way you do otherwise, and link {provider.title} in your account.",
        )
    await _add_identity(work, user, provider, profile=profile, address=address)
    return user


async def offer_link(work: Work, arrival: Arrival) -> str:
    """A ticket with which the user who wanted to add this identity confirms it: they must see first whose it is."""
    content = {
        "provider": arrival.provider.id,
        "subject": arrival.profile.subject,
        "email": arrival.profile.email,
        "next": arrival.next_path,
    }
    return await issue_ticket(work, _LINK, user_id=arrival.user_id, content=content, valid_for=LINK_VALID_FOR)


async def confirm_link(work: Work, user: User, ticket_value: str, *, address: str) -> Identity:
    """Add the identity of a ticket to the user it was made for; Conflict when it is somebody's already."""
    ticket = await use_ticket(work, _LINK, ticket_value)
    if ticket.user_id != user.id:
        raise Forbidden("This was begun by another user.", hint="Begin again in your account.")
    provider = await _get_enabled(work, ticket.content["provider"])
    profile = Profile(ticket.content["subject"], ticket.content["email"], is_email_verified=False, name="")
    known = await _find_identity(work, provider, profile.subject)
    if known is not None and known.user_id == user.id:
        return known
    if known is not None:
        raise Conflict(
            f"This account at {provider.title} is linked with another user.", hint="Sign in as that user to unlink it."
        )
    return await _add_identity(work, user, provider, profile=profile, address=address)


async def list_identities(session: AsyncSession, user_id: str) -> Sequence[tuple[Identity, IdentityProvider]]:
    """A user's identities with their providers, oldest first."""
    query = (
        select(Identity, IdentityProvider)
        .join(IdentityProvider, IdentityProvider.id == Identity.provider_id)
        .where(Identity.user_id == user_id)
        .order_by(Identity.created_at, Identity.id)
    )
    return [(identity, provider) for identity, provider in (await session.execute(query)).all()]


async def unlink(work: Work, user_id: str, identity_id: str) -> Identity:
    """Remove an identity of a user; NotFound for another's, Conflict when it is the user's last way to sign in."""
    query = select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    user = (await work.session.scalars(query)).one()
    mine = await list_identities(work.session, user_id)
    identity = next((row for row, _ in mine if row.id == identity_id), None)
    if identity is None:
        raise NotFound("You have no such identity.")
    others = [row for row, provider in mine if row.id != identity_id and provider.is_enabled]
    if not others and not user.password_hash and not await _has_passkey(work, user_id):
        raise Conflict(
            "This is the only way you can sign in.", hint="Set a password or add a passkey first, then remove it."
        )
    await work.session.delete(identity)
    return identity


def canonical_address(email: str) -> str:
    """An address as users have it: plain ASCII in lower case; empty for anything else.

    Letters that only look or fold like ASCII ones never equal another's address.
    """
    lowered = email.lower() if email.isascii() else ""
    return lowered if _ADDRESS.fullmatch(lowered) else ""


async def _sign_up(
    platform: Platform, work: Work, provider: IdentityProvider, *, name: str, email: str, address: str
) -> User:
    """A new user, who accepts what their address was invited to if the provider's word on addresses is trusted."""
    domain = email.rpartition("@")[2]
    is_allowed = provider.allows_sign_up and (not provider.email_domains or domain in provider.email_domains)
    is_invited = provider.is_trusted and await has_open_invitation(work.session, email)
    refusal = SignInRefused("There is no user with this address here.", hint="Ask an administrator for an invitation.")
    if not is_allowed and not is_invited:
        raise refusal
    user = await create_user(work, email=email, name=name)
    caller = Caller(user.id, address=address, email=email)
    record(work, caller, "users.create", object_id=user.id, detail={"provider": provider.name, "email": email})
    joined = await accept_by_address(platform, work, user) if is_invited else ()
    if not is_allowed and not joined:
        raise refusal
    for accepted in joined:
        project_id = accepted.project_id or ""
        record(work, caller, "invitations.accept", project_id=project_id, object_id=user.id, detail={"email": email})
    return user


async def _get_enabled(work: Work, provider_id: str) -> IdentityProvider:
    """The provider as it is now, kept from changing until the end of the transaction."""
    query = select(IdentityProvider).where(IdentityProvider.id == provider_id).with_for_update(read=True)
    provider = (await work.session.scalars(query.execution_options(populate_existing=True))).one_or_none()
    if provider is None or not provider.is_enabled:
        raise NotFound("The identity provider is not there any more.", hint="Choose another way to sign in.")
    return provider


async def _find_identity(work: Work, provider: IdentityProvider, subject: str) -> Identity | None:
    query = select(Identity).where(Identity.provider_id == provider.id, Identity.subject == subject)
    return (await work.session.scalars(query)).one_or_none()


async def _add_identity(
    work: Work, user: User, provider: IdentityProvider, *, profile: Profile, address: str
) -> Identity:
    present = await work.session.scalar(select(func.count()).where(Identity.user_id == user.id))
    if present is not None and present >= MOST_IDENTITIES:
        raise Conflict(f"There are already {MOST_IDENTITIES} identities.", hint="Unlink one that is not used.")
    identity = Identity(
        id=new_id("idn"),
        created_at=utc_now(),
        user_id=user.id,
        provider_id=provider.id,
        subject=profile.subject,
        email=profile.email,
        last_used_at=utc_now(),
    )
    work.session.add(identity)
    await work.session.flush()
    caller = Caller(user.id, user.is_administrator, address=address, email=user.email)
    detail = {"provider": provider.name, "email": profile.email}
    record(work, caller, "identities.create", object_id=identity.id, detail=detail)
    return identity


async def _has_passkey(work: Work, user_id: str) -> bool:
    return await work.session.scalar(select(Passkey.id).where(Passkey.user_id == user_id).limit(1)) is not None
