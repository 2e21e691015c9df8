"""Another e-mail address: at once for administrators, by a link that is sent to it for everyone else.

An address leads to an account (by providers, invitations, mails), so nobody may take one that is not theirs.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import select

from towline.actions.access import Caller
from towline.actions.audit import record
from towline.actions.installation import platform_url
from towline.actions.mail import check_not_flooded, queue_mail, sends_mail
from towline.actions.pacing import count_start
from towline.actions.platform import Platform
from towline.actions.tickets import issue_ticket, use_ticket, withdraw_tickets
from towline.errors import Conflict, Forbidden, NotFound
from towline.infra.database import Work
from towline.models.accounts import User
from towline.models.base import utc_now

EMAIL_CHANGE: Final = "email-change"
_VALID_FOR: Final = timedelta(hours=24)
_MOST_MAILS: Final = 3
_MOST_STARTS: Final = 10
"""Mails to one address within an hour, and to whatever addresses a user names within ten minutes."""


async def change_address(platform: Platform, work: Work, user: User, *, email: str) -> bool:
    """Whether the user has the address now; if not, a link that confirms it was sent there.

    Conflict when an administrator takes an address that has an account; Forbidden without a mail server.
    """
    if user.is_administrator:
        await _move(platform, work, user, email=email)
        return True
    if not sends_mail(platform):
        raise Forbidden(
            "You cannot change your address, since this instance sends no mail to confirm it by.",
            hint="Ask an administrator to set TOWLINE_SMTP_URL.",
        )
    await count_start(platform, "change of the address", source=user.id, most=_MOST_STARTS)
    await check_not_flooded(work, email, most=_MOST_MAILS)
    await withdraw_tickets(work, EMAIL_CHANGE, user_id=user.id)
    token = await issue_ticket(work, EMAIL_CHANGE, user_id=user.id, content={"email": email}, valid_for=_VALID_FOR)
    text = (
        f"Somebody, probably you, wants this to be the address of an account on {platform_url(platform)}.\n\n"
        f"Confirm it here, signed in to that account:\n\n{platform_url(platform)}/account/email/{token}\n\n"
        "The link works once, for one day. If it was not you, delete this mail; nothing happens then.\n"
    )
    expires_at = utc_now() + _VALID_FOR
    queue_mail(platform, work, recipient=email, subject="Your address on Towline", text=text, expires_at=expires_at)
    return False


async def confirm_address(platform: Platform, work: Work, caller: Caller, token: str) -> User:
    """Give the caller the address that a link was sent to; NotFound when it is not valid any more, or another's.

    Only the account that asked for it can confirm: else whoever is sent a link could be led to hand their address over.
    """
    ticket = await use_ticket(work, EMAIL_CHANGE, token)
    if ticket.user_id != caller.user_id:
        raise NotFound("This link is of another account.", hint="Sign in to the account that asked for it.")
    user = await work.session.get_one(User, caller.user_id, with_for_update=True)
    await _move(platform, work, user, email=ticket.content["email"])
    record(work, caller, "account.confirmEmail", object_id=user.id, after={"email": user.email})
    return user


async def _move(platform: Platform, work: Work, user: User, *, email: str) -> None:
    if await work.session.scalar(select(User.id).where(User.email == email, User.id != user.id)) is not None:
        raise Conflict("That address cannot be used.", hint="Take another one, or ask an administrator.")
    old, user.email = user.email, email
    if sends_mail(platform) and "@" in old:
        text = (
            f"The address of your account on {platform_url(platform)} is {email} from now on.\n"
            "If it was not you, ask an administrator at once.\n"
        )
        expires_at = utc_now() + _VALID_FOR
        queue_mail(platform, work, recipient=old, subject="Your address on Towline", text=text, expires_at=expires_at)
