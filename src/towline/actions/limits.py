"""Limits on signing in: guessing is stopped by account and by address, and yet never locks an owner out."""

import base64
import binascii
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from towline.actions.platform import Platform
from towline.errors import KeyMismatch, TooManyTries
from towline.infra.counters import Full, Limit

WITHIN: Final = timedelta(minutes=15)
OF_ACCOUNT: Final = 10
OF_ADDRESS: Final = 20
OF_KNOWN: Final = 10
OF_ALL: Final = 5000
"""Tries within the time: at one account by strangers, from one address, of one known device, and by all strangers."""

OF_SECOND_FACTOR: Final = 30
"""Second factors that strangers may get wrong at one account, within a day."""

_MARK_CONTEXT: Final = "known device"


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a try comes from: address, device, and the mark of a device known from before (empty without one)."""

    address: str = ""
    device: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try that was counted under these limits."""

    limits: Sequence[Limit]


async def count_try(platform: Platform, visit: Visit, *, email: str, user_id: str, is_known_address: bool) -> Attempt:
    """Count a try at an account before anything is compared; TooManyTries without counting when there were too many.

    Strangers share the limits of the account and of their address. Who comes with a known device, or from an address
    that the account was used from, has a limit of their own, which strangers cannot use up.
    """
    if device := find_known_device(platform, visit.mark, user_id=user_id):
        return await _take(platform, [Limit(f"device {device}", OF_KNOWN)])
    network = network_of(visit.address)
    strangers = [
        Limit(f"address {network}", OF_ADDRESS),
        Limit(f"account {email}", OF_ACCOUNT),
        Limit("all sign-ins", OF_ALL),
    ]
    try:
        return await _take(platform, strangers)
    except TooManyTries:
        if not is_known_address:
            raise
    return await _take(platform, [Limit(f"account {email} from {network}", OF_KNOWN)])


async def count_visit(platform: Platform, visit: Visit) -> Attempt:
    """Count a try that names no account, such as one by a passkey; TooManyTries when there were too many."""
    return await _take(platform, attempt_of(platform, visit).limits)


async def count_second_factor(platform: Platform, visit: Visit, *, user_id: str) -> Attempt:
    """Count a second factor that a stranger types who knows the first, beside `count_try`; TooManyTries.

    Of a million codes three are right at a time: at this pace guessing one takes decades.
    """
    if find_known_device(platform, visit.mark, user_id=user_id):
        return Attempt([])
    return await _take(platform, [Limit(f"second factor {user_id}", OF_SECOND_FACTOR)], within=timedelta(days=1))


def attempt_of(platform: Platform, visit: Visit) -> Attempt:
    """What `count_visit` counts, for taking it back in a later request: known devices do not share with strangers."""
    _, device = _open_mark(platform, visit.mark)
    if device:
        return Attempt([Limit(f"passkeys of device {device}", OF_ADDRESS)])
    return Attempt([Limit(f"address {network_of(visit.address)}", OF_ADDRESS), Limit("all passkeys", OF_ALL)])


async def count_confirmation(platform: Platform, user_id: str) -> Attempt:
    """Count a try of someone signed in to prove again who they are; TooManyTries when there were too many."""
    return await _take(platform, [Limit(f"confirmation {user_id}", OF_KNOWN)])


async def forgive(platform: Platform, attempt: Attempt) -> None:
    """Take a counted try back, since it succeeded."""
    await platform.counters.give_back(attempt.limits)


def make_device_mark(platform: Platform, user_id: str) -> str:
    """What a device keeps by which it is known again; it opens nothing, and only Towline can make one."""
    sealed = platform.secrets.seal(f"{user_id} {secrets.token_hex(16)}", context=_MARK_CONTEXT)
    return base64.urlsafe_b64encode(sealed).decode()


def find_known_device(platform: Platform, mark: str, *, user_id: str) -> str | None:
    """The device that a mark stands for, if it was made for this user."""
    owner, device = _open_mark(platform, mark)
    return device if user_id and owner == user_id else None


def _open_mark(platform: Platform, mark: str) -> tuple[str, str]:
    """The user and the device that a mark was made for; empty for anything else."""
    try:
        sealed = base64.urlsafe_b64decode(mark)
        owner, _, device = platform.secrets.open_text(sealed, context=_MARK_CONTEXT).partition(" ")
    except (KeyMismatch, binascii.Error, ValueError):
        return "", ""
    return owner, device


async def _take(platform: Platform, limits: Sequence[Limit], *, within: timedelta = WITHIN) -> Attempt:
    full: Full | None = await platform.counters.take(limits, within=within)
    if full is not None:
        minutes = -(-full.seconds // 60)
        hint = f"Try again in {minutes} min, or from a device that you have signed in with before."
        error = TooManyTries("There were too many failed tries to sign in.", hint=hint)
        error.seconds = full.seconds
        raise error
    return Attempt(limits)


def network_of(address: str) -> str:
    """One customer's addresses count as one: a whole /64 with IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
