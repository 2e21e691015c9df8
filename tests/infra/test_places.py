"""Places that are taken for a while."""

import pytest

from towline.errors import Unavailable
from towline.infra.places import Places


def test_there_are_so_many_places_in_all_and_so_many_for_each() -> None:
    places = Places("followed logs", total=3, each=2)
    with places.hold("ann"), places.hold("ann"):
        with pytest.raises(Unavailable, match="You have too many followed logs"):
            places.check("ann")
        with places.hold("bob"), pytest.raises(Unavailable, match="too many followed logs here"):
            places.check("cid")
        with places.hold("cid"):
            assert places.taken == 3
    with places.hold("ann"):
        assert places.taken == 1
