"""How often one source may begin something that costs Towline room, or guess at something short."""

from datetime import timedelta
from typing import Final

from towline.actions.platform import Platform
from towline.errors import TooManyTries
from towline.infra.counters import Limit

WITHIN: Final = timedelta(minutes=10)


async def count_start(platform: Platform, kind: str, *, source: str, most: int) -> None:
    """Count one start of a kind by a source; TooManyTries without counting when there were too many.

    There is no limit on all sources together: whoever has many addresses could keep everybody out by it.
    """
    full = await platform.counters.take([Limit(f"{kind} {source}", most)], within=WITHIN)
    if full is None:
        return
    error = TooManyTries(f"There were too many tries ({kind}).", hint=f"Try again in {-(-full.seconds // 60)} min.")
    error.seconds = full.seconds
    raise error
