"""What stays for the life of a process is left out of garbage collection."""

import gc

from towline.infra.collection import spare_what_stays


class _Node:
    other: "_Node | None" = None


async def test_what_stays_is_spared_and_later_garbage_is_not() -> None:
    try:
        spare_what_stays()
        assert gc.get_freeze_count() > 1000
        one, two = _Node(), _Node()
        one.other, two.other = two, one
        del one, two
        assert gc.collect() >= 2
    finally:
        gc.unfreeze()
