"""The one decision about a group: what its rows say has to happen next. It is the whole of crash recovery."""

from collections.abc import Collection
from enum import StrEnum


class MemberState(StrEnum):
    """How far a member is."""

    PENDING = "pending"
    """It waits, is fetched or built."""
    BUILT = "built"
    """Its release is there; nothing of it runs that anybody relies on."""
    LOST = "lost"
    """It ended without success."""
    LIVE = "live"
    """It ended with success."""


class Decision(StrEnum):
    """What to do with a group."""

    WAIT = "wait"
    """Members are still being built."""
    START = "start"
    """Start every member's new release, then switch; whatever an earlier attempt started is removed first."""
    FORWARD = "forward"
    """The switch is decided: publish it, make it whole, retire the old."""
    BACK = "back"
    """End it with the old releases: remove what was started, bring back what was stopped."""


def decide(members: Collection[MemberState], *, is_switched: bool, is_cancelled: bool) -> Decision:
    """What the rows of a group say; all new when the switch is decided, else all old unless every member is built."""
    if is_switched:
        return Decision.FORWARD
    if is_cancelled or MemberState.LOST in members or not members:
        return Decision.BACK
    if MemberState.PENDING in members:
        return Decision.WAIT
    return Decision.START
