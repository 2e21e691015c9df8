"""Places that are taken for a while: so many in all, and so many for one who takes them."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from towline.errors import Unavailable


class Places:
    """Counts who has how many places; `what` says in the plural what they are for."""

    def __init__(self, what: str, *, total: int, each: int) -> None:
        self._what = what
        self._total = total
        self._each = each
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many are taken now."""
        return self._taken.total()

    def check(self, taker: str) -> None:
        """Unavailable when `hold` would be refused now."""
        if self._taken[taker] >= self._each:
            raise Unavailable(f"You have too many {self._what} at once.", hint=f"Close some: {self._each} are allowed.")
        if self.taken >= self._total:
            raise Unavailable(f"There are too many {self._what} here.", hint="Try again in a minute.")

    @contextmanager
    def hold(self, taker: str) -> Generator[None]:
        """Take one place until leaving; Unavailable when there is none, or none more for this taker."""
        self.check(taker)
        self._taken[taker] += 1
        try:
            yield
        finally:
            self._taken[taker] -= 1
            if not self._taken[taker]:
                del self._taken[taker]
