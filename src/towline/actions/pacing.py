"""How often one source may begin something that costs Towline room, or guess at something short."""

from datetime import timedelta
from typing import Final

from towline.actions.platform import Platform
from towline.errors import TooManyTries
from towline.infra.counters import Limit

WITHIN: Final = timedelta(minutes=10)
OF_ALL: Final = 3000
"""Most of one kind of all sources together within the time."""


async def count_start(platform: Platform, kind: str, *, source: str, most: int) -> None:
    """Count one start of a kind by a source; TooManyTries without counting when there were too many."""
    limits = [Limit(f"{kind} {source}", most), Limit(f"{kind} of all", OF_ALL)]
    full = await platform.counters.take(limits, within=WITHIN)
    if full is None:
        return
    error = TooManyTries(f"There were too many tries ({kind}).", hint=f"Try again in {-(-full.seconds // 60)} min.")
    error.seconds = full.seconds
    raise error
