"""Signing in by a passkey alone, and finishing a sign-in by a second factor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from towline.actions.access import Caller
from towline.actions.audit import record
from towline.actions.installation import platform_url
from towline.actions.limits import Visit, attempt_of, count_second_factor, count_try, count_visit, forgive
from towline.actions.platform import Platform
from towline.actions.second_factors.ceremonies import assertion_options, challenge_of, check_usable
from towline.actions.second_factors.factors import Factor
from towline.actions.second_factors.passkeys import WITHIN, known_credentials, list_passkeys, party_of, use_passkey
from towline.actions.second_factors.recovery_codes import use_recovery_code
from towline.actions.second_factors.totp import use_totp_code
from towline.actions.sign_in import SECOND_FACTOR, SignedIn, sign_in_user
from towline.actions.tickets import issue_ticket, try_ticket, use_ticket
from towline.errors import InvalidInput, NotFound, Unauthenticated
from towline.infra.database import Work
from towline.models.accounts import User
from towline.models.second_factors import Passkey
from towline.models.sessions import Session, Ticket

PASSKEY: Final = "passkey_sign_in"
"""Kind of the ticket of a sign-in by a passkey alone; of no user, since the passkey tells who signs in."""

MOST_TRIES: Final = 10
"""Of one sign-in that waits for a second factor, counting passkeys that are asked for as well."""

_WRONG: Final = {
    Factor.TOTP: "The code is wrong, or was used already.",
    Factor.RECOVERY_CODE: "The recovery code is wrong, or was used already.",
    Factor.PASSKEY: "The passkey's proof was not accepted.",
}
_WRONG_HINT: Final = "Try another code, a passkey, or one of your recovery codes."


@dataclass(frozen=True, slots=True)
class Proof:
    """What someone sends as second factor: a code as typed, or a passkey's answer."""

    factor: Factor
    code: str = ""
    credential: Mapping[str, Any] | None = None


async def begin_passkey_sign_in(platform: Platform, visit: Visit) -> tuple[str, dict[str, Any]]:
    """A ticket for one sign-in by a passkey alone, and what the browser's `navigator.credentials.get` takes."""
    check_usable(platform_url(platform), party_of(platform))
    await count_visit(platform, visit)
    async with platform.database.transaction() as work:
        ticket = await issue_ticket(work, PASSKEY, valid_for=WITHIN)
    return ticket, assertion_options(party_of(platform), challenge=challenge_of(ticket))


async def begin_second_passkey(platform: Platform, ticket: str) -> dict[str, Any]:
    """What `navigator.credentials.get` takes to finish a sign-in that waits for a second factor."""
    check_usable(platform_url(platform), party_of(platform))
    async with platform.database.transaction() as work:
        waiting = await try_ticket(work, SECOND_FACTOR, ticket, most_tries=MOST_TRIES)
        known: Sequence[Passkey] = await list_passkeys(work.session, waiting.user_id or "")
    if not known:
        raise NotFound("You have no passkey.", hint="Use another second factor.")
    return assertion_options(party_of(platform), challenge=challenge_of(ticket), known=known_credentials(known))


async def sign_in_by_passkey(
    platform: Platform, visit: Visit, *, ticket: str, credential: Mapping[str, Any]
) -> SignedIn:
    """A session for whom a passkey proves; it has verified its user, so it is both factors.

    NotFound when the ticket is not valid any more, InvalidInput or Forbidden when the proof is not.
    """
    async with platform.database.transaction() as work:
        await use_ticket(work, PASSKEY, ticket)
    async with platform.database.transaction() as work:
        passkey = await use_passkey(platform, work, ticket=ticket, credential=credential, address=visit.address)
        user = await _get_user(work, passkey.user_id)
        signed_in = await sign_in_user(
            platform, work, user, method="passkey", device=visit.device, address=visit.address
        )
    await forgive(platform, attempt_of(platform, visit))
    return signed_in


async def finish_sign_in(platform: Platform, visit: Visit, *, ticket: str, proof: Proof) -> SignedIn:
    """A session for someone who proved a first factor, and now a second one.

    NotFound when the ticket is not valid any more, Unauthenticated when the proof is wrong, TooManyTries.
    """
    waiting, user, is_known = await _count(platform, visit, ticket)
    attempts = (
        await count_try(platform, visit, email=user.email, user_id=user.id, is_known_address=is_known),
        await count_second_factor(platform, visit, user_id=user.id),
    )
    try:
        async with platform.database.transaction() as work:
            await use_ticket(work, SECOND_FACTOR, ticket)
            await _check(platform, work, user, ticket=ticket, proof=proof, address=visit.address)
            method = f"{waiting.content['method']}+{proof.factor}"
            signed_in = await sign_in_user(
                platform, work, user, method=method, device=visit.device, address=visit.address
            )
    except (InvalidInput, Unauthenticated) as error:
        await _note_refused(platform, user, visit, reason=error.message)
        raise
    for attempt in attempts:
        await forgive(platform, attempt)
    return signed_in


async def _count(platform: Platform, visit: Visit, ticket: str) -> tuple[Ticket, User, bool]:
    """Whose sign-in it is and whether from an address they used before, one try counted.

    In a transaction of its own, since a try that is rolled back was free.
    """
    async with platform.database.transaction() as work:
        waiting = await try_ticket(work, SECOND_FACTOR, ticket, most_tries=MOST_TRIES)
        user = await _get_user(work, waiting.user_id or "")
        used_before = select(Session.id).where(Session.user_id == user.id, Session.address == visit.address).limit(1)
        return waiting, user, await work.session.scalar(used_before) is not None


async def _check(platform: Platform, work: Work, user: User, *, ticket: str, proof: Proof, address: str) -> None:
    if proof.factor is Factor.PASSKEY:
        credential = proof.credential or {}
        await use_passkey(platform, work, ticket=ticket, credential=credential, user_id=user.id, address=address)
        return
    if proof.factor is Factor.TOTP:
        is_right = await use_totp_code(platform.secrets, work.session, user.id, code=proof.code)
    else:
        is_right = await use_recovery_code(work.session, user.id, code=proof.code)
    if not is_right:
        raise Unauthenticated(_WRONG[proof.factor], hint=_WRONG_HINT)


async def _get_user(work: Work, user_id: str) -> User:
    user = (await work.session.scalars(select(User).where(User.id == user_id))).one_or_none()
    if user is None:
        raise Unauthenticated("There is no such user any more.", hint="Ask an administrator.")
    return user


async def _note_refused(platform: Platform, user: User, visit: Visit, *, reason: str) -> None:
    caller = Caller(user.id, address=visit.address, email=user.email)
    async with platform.database.transaction() as work:
        record(work, caller, "signIn.secondFactor", outcome="refused", object_id=user.id, detail={"reason": reason})
