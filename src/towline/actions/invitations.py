"""Invitations: bound to one address and role, good once and for seven days, and only while the inviter may invite."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from towline.actions.access import Caller, Permission, check
from towline.actions.account import make_password_hash
from towline.actions.audit import record
from towline.actions.events import emit
from towline.actions.granting import (
    check_grant,
    check_reach,
    check_unlimited,
    find_role,
    lock_project,
    may_still_grant,
    stronger_role,
)
from towline.actions.installation import platform_url
from towline.actions.mail import check_not_flooded, invitation_text, queue_mail, sends_mail
from towline.actions.members import change_role_of, find_member, join
from towline.actions.platform import Platform
from towline.actions.sign_in import SignedIn, sign_in_user
from towline.actions.users import create_user, find_user, set_administrator
from towline.errors import Conflict, Forbidden, NotFound
from towline.infra.database import Work
from towline.infra.secrets import hash_token
from towline.models.accounts import User
from towline.models.base import utc_now
from towline.models.members import Invitation
from towline.models.projects import Project
from towline.names import new_id

VALID_FOR: Final = timedelta(days=7)
_BYTES: Final = 32
_MOST_A_DAY: Final = 200
_MAILS_AN_HOUR: Final = 3


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation just made or renewed; `link` is empty when it goes out by mail, and is not kept."""

    invitation: Invitation
    link: str
    is_mailed: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """An invitation that can be accepted now, with the names of what it leads to."""

    invitation: Invitation
    project: Project | None
    inviter: User


@dataclass(frozen=True, slots=True)
class Accepted:
    """What accepting led to; `role` is what the user has now, which may be more than what was offered."""

    user: User
    project_id: str | None
    role: str | None


async def list_invitations(
    session: AsyncSession, project_id: str | None, *, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Invitation]:
    """Invitations to a project (None: to the instance) that were neither accepted nor revoked, newest first."""
    place = Invitation.project_id.is_(None) if project_id is None else Invitation.project_id == project_id
    query = select(Invitation).where(place, Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
    if after is not None:
        query = query.where(tuple_(Invitation.created_at, Invitation.id) < after)
    return (
        await session.scalars(query.order_by(Invitation.created_at.desc(), Invitation.id.desc()).limit(limit))
    ).all()


async def find_invitation(session: AsyncSession, invitation_id: str) -> Invitation | None:
    """An invitation by id that was neither accepted nor revoked, locked until the end of the transaction."""
    query = select(Invitation).where(
        Invitation.id == invitation_id, Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None)
    )
    return (await session.scalars(query.with_for_update())).one_or_none()


async def invite_to_project(
    platform: Platform, work: Work, caller: Caller, project: Project, *, email: str, role: str
) -> NewInvitation:
    """Invite an address to a project; Forbidden for a role that may do more than the caller, Conflict for a member."""
    await lock_project(work.session, project.id)
    check_grant(caller, role, role=await find_role(work.session, project.id, caller.user_id))
    user = await find_user(work.session, email)
    if user is not None and await find_role(work.session, project.id, user.id) is not None:
        raise Conflict(f"{email} is a member already.", hint="Change the member's role instead.")
    invitation = _invitation(caller, email, project_id=project.id, role=role)
    return await _store(platform, work, caller, invitation, place=f"the project {project.name} as {role}")


async def invite_to_instance(
    platform: Platform, work: Work, caller: Caller, *, email: str, is_administrator: bool
) -> NewInvitation:
    """Invite an address to an account of its own; Conflict when it has one."""
    check(caller, Permission.ADMINISTER, role=None)
    if is_administrator:
        check_unlimited(caller)
    if await find_user(work.session, email) is not None:
        raise Conflict(f"{email} has an account already.", hint="See it with `towline users`.")
    invitation = _invitation(caller, email, is_administrator=is_administrator)
    return await _store(platform, work, caller, invitation, place=_instance_place(is_administrator=is_administrator))


async def resend_invitation(platform: Platform, work: Work, caller: Caller, invitation: Invitation) -> NewInvitation:
    """Give an invitation a new link, for another seven days; the caller is who invites from now on."""
    place = _instance_place(is_administrator=invitation.is_administrator)
    if invitation.is_administrator:
        check_unlimited(caller)
    if invitation.project_id is not None:
        check_grant(caller, invitation.role, role=await find_role(work.session, invitation.project_id, caller.user_id))
        project = await work.session.get_one(Project, invitation.project_id)
        place = f"the project {project.name} as {invitation.role}"
    invitation.invited_by, invitation.expires_at = caller.user_id, utc_now() + VALID_FOR
    return await _send(platform, work, caller, invitation, place=place)


async def revoke_invitation(work: Work, caller: Caller, invitation: Invitation) -> None:
    """Make an invitation worthless; Forbidden when it offers more than the caller may do."""
    if invitation.project_id is not None:
        check_reach(caller, invitation.role, role=await find_role(work.session, invitation.project_id, caller.user_id))
    invitation.revoked_at = utc_now()


async def get_offer(session: AsyncSession, token: str) -> Offer:
    """What a link offers now, locked until the end of the transaction; NotFound when it is used, revoked or too old.

    Forbidden when the inviter may not invite to it any more.
    """
    query = select(Invitation).where(
        Invitation.token_hash == hash_token(token),
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.expires_at > utc_now(),
    )
    locked = query.with_for_update().execution_options(populate_existing=True)
    invitation = (await session.scalars(locked)).one_or_none()
    if invitation is None:
        raise NotFound(
            "This invitation was used, revoked, or is too old.", hint="Ask whoever invited you for a new one."
        )
    return await _get_offer(session, invitation)


async def has_open_invitation(session: AsyncSession, email: str) -> bool:
    """Whether somebody invited an address (in lower case), and it was not accepted, revoked or left too long."""
    return await session.scalar(_open_invitations(email).with_only_columns(Invitation.id).limit(1)) is not None


async def accept_by_address(platform: Platform, work: Work, user: User) -> Sequence[Accepted]:
    """Let a user have all that is offered to their address, of which they must have proved that it is theirs.

    What its inviter may not offer any more stays open.
    """
    query = _open_invitations(user.email).order_by(Invitation.id).with_for_update()
    invitations = (await work.session.scalars(query.execution_options(populate_existing=True))).all()
    accepted: list[Accepted] = []
    for invitation in invitations:
        try:
            offer = await _get_offer(work.session, invitation)
        except (Forbidden, NotFound):
            continue
        accepted.append(await _accept(platform, work, offer, user))
    return accepted


def _open_invitations(email: str) -> Select[Invitation]:
    return select(Invitation).where(
        Invitation.email == email,
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.expires_at > utc_now(),
    )


async def _get_offer(session: AsyncSession, invitation: Invitation) -> Offer:
    if invitation.project_id is not None:
        await lock_project(session, invitation.project_id)
    inviter = await session.get_one(User, invitation.invited_by, with_for_update={"read": True})
    if not await _is_still_allowed(session, invitation, inviter):
        raise Forbidden(
            "Who invited you may not invite to this any more.", hint="Ask another owner or administrator to invite you."
        )
    project = None if invitation.project_id is None else await session.get_one(Project, invitation.project_id)
    return Offer(invitation, project, inviter)


async def accept_as_new(
    platform: Platform, token: str, *, name: str, password: str, device: str, address: str
) -> tuple[Accepted, SignedIn]:
    """Make the invited address a user, who is signed in; InvalidInput for a weak password leaves the invitation open.

    Conflict when the address has an account, whose user has to sign in and join.
    """
    async with platform.database.transaction() as work:
        email = (await _get_offer_to_stranger(work, token)).invitation.email
    # Only for who has a link: hashing costs much, and holds no connection meanwhile.
    password_hash = await make_password_hash(platform, password, words=(email, name), field="password")
    async with platform.database.transaction() as work:
        offer = await _get_offer_to_stranger(work, token)
        user = await create_user(work, email=email, name=name, password_hash=password_hash)
        accepted = await _accept(platform, work, offer, user)
        record_accepted(work, Caller(user_id=user.id, address=address), "invitations.accept", accepted)
        signed_in = await sign_in_user(platform, work, user, method="invitation", device=device, address=address)
    return accepted, signed_in


def record_accepted(work: Work, caller: Caller, action: str, accepted: Accepted) -> None:
    """Tell the audit log who came by an invitation."""
    detail = {"email": accepted.user.email, "role": accepted.role}
    record(work, caller, action, project_id=accepted.project_id or "", object_id=accepted.user.id, detail=detail)


async def accept_as_user(platform: Platform, work: Work, caller: Caller, token: str) -> Accepted:
    """Let the caller have what is offered; Forbidden when it was offered to another address, or for a limited key."""
    if caller.scopes is not None or caller.project_id is not None:
        raise Forbidden("A limited API key cannot accept invitations.", hint="Sign in, then open the link again.")
    offer = await get_offer(work.session, token)
    user = await work.session.get_one(User, caller.user_id)
    if user.email.lower() != offer.invitation.email:
        raise Forbidden(
            "This invitation is for another address than yours.",
            hint="Sign in with the invited address, or ask for an invitation to yours.",
        )
    return await _accept(platform, work, offer, user, session_id=caller.session_id)


async def _get_offer_to_stranger(work: Work, token: str) -> Offer:
    offer = await get_offer(work.session, token)
    email = offer.invitation.email
    if await find_user(work.session, email) is not None:
        raise Conflict(f"{email} has an account already.", hint="Sign in with it, then open the link again.")
    return offer


async def _accept(platform: Platform, work: Work, offer: Offer, user: User, *, session_id: str = "") -> Accepted:
    invitation = offer.invitation
    invitation.accepted_at = utc_now()
    if invitation.is_administrator:
        await set_administrator(platform, work, user, is_administrator=True, keep_session_id=session_id)
    if invitation.project_id is None:
        emit(platform, work, "user.joined", user_id=user.id)
        return Accepted(user, None, None)
    member = await find_member(work.session, invitation.project_id, user.id)
    if member is None:
        member = await join(platform, work, invitation.project_id, user=user, role=invitation.role)
        return Accepted(user, invitation.project_id, member.role)
    role = stronger_role(member.role, invitation.role)
    await change_role_of(platform, work, invitation.project_id, user.id, role=role)
    return Accepted(user, invitation.project_id, role)


async def _is_still_allowed(session: AsyncSession, invitation: Invitation, inviter: User) -> bool:
    if invitation.project_id is not None:
        return await may_still_grant(session, inviter.id, invitation.role, project_id=invitation.project_id)
    return inviter.is_administrator and inviter.disabled_at is None


def _invitation(
    caller: Caller, email: str, *, project_id: str | None = None, role: str = "", is_administrator: bool = False
) -> Invitation:
    now = utc_now()
    return Invitation(
        id=new_id("inv"),
        created_at=now,
        email=email.lower(),
        project_id=project_id,
        role=role,
        is_administrator=is_administrator,
        invited_by=caller.user_id,
        expires_at=now + VALID_FOR,
    )


async def _store(
    platform: Platform, work: Work, caller: Caller, invitation: Invitation, *, place: str
) -> NewInvitation:
    """Store a new invitation; Conflict when the address has one to the same place that can still be accepted."""
    same = (
        Invitation.project_id.is_(None)
        if invitation.project_id is None
        else Invitation.project_id == invitation.project_id
    )
    query = select(Invitation.id).where(
        same,
        Invitation.email == invitation.email,
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.expires_at > utc_now(),
    )
    if await work.session.scalar(query.limit(1)) is not None:
        raise Conflict(f"{invitation.email} is invited already.", hint="Resend that invitation, or revoke it first.")
    await _check_not_too_many(work, caller)
    work.session.add(invitation)
    return await _send(platform, work, caller, invitation, place=place)


async def _check_not_too_many(work: Work, caller: Caller) -> None:
    """Whoever makes projects can invite: not strangers by the thousand in this instance's name."""
    recent = Invitation.created_at > utc_now() - timedelta(days=1)
    query = select(func.count()).select_from(Invitation).where(Invitation.invited_by == caller.user_id, recent)
    if (await work.session.scalar(query) or 0) >= _MOST_A_DAY:
        raise Conflict(f"You have invited {_MOST_A_DAY} people within a day.", hint="Invite the others tomorrow.")


async def _send(platform: Platform, work: Work, caller: Caller, invitation: Invitation, *, place: str) -> NewInvitation:
    """Make the link, and mail it; without a mail server it is for the inviter to pass on."""
    token = secrets.token_urlsafe(_BYTES)
    invitation.token_hash = hash_token(token)
    await work.session.flush()
    link = f"{platform_url(platform)}/invitation/{token}"
    if not sends_mail(platform):
        return NewInvitation(invitation, link, is_mailed=False)
    await check_not_flooded(work, invitation.email, most=_MAILS_AN_HOUR)
    inviter = await work.session.get_one(User, caller.user_id)
    expires_at = invitation.expires_at
    text = invitation_text(platform, inviter=_shown(inviter), place=place, link=link, expires_at=expires_at)
    subject = "Invitation to Towline"
    queue_mail(platform, work, recipient=invitation.email, subject=subject, text=text, expires_at=expires_at)
    return NewInvitation(invitation, "", is_mailed=True)


def _shown(inviter: User) -> str:
    """The inviter in a mail to a stranger: an own name must not look like a text of Towline's."""
    name = "".join(letter for letter in inviter.name if letter.isalnum() or letter in " -'")[:40].strip()
    return f"{name} ({inviter.email})" if name else inviter.email


def _instance_place(*, is_administrator: bool) -> str:
    return "an administrator's account" if is_administrator else "an account"
