"""Which addresses instances get."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from towline.errors import OrchestratorUnavailable
from towline.orchestrators.docker.addresses import choose_free, halves


def test_a_network_is_halved_between_the_engine_and_the_instances() -> None:
    assert halves("10.112.0.0/23") == ("10.112.0.0/24", "10.112.1.0/24")


def test_chosen_addresses_are_free_different_and_of_the_range() -> None:
    taken = {str(IPv4Address("10.0.1.0") + number) for number in range(1, 200)}
    chosen = choose_free("10.0.1.0/24", taken=taken, count=55)
    assert len(set(chosen)) == 55
    assert not taken & set(chosen)
    assert all(IPv4Address(address) in IPv4Network("10.0.1.0/24") for address in chosen)


def test_a_full_network_is_said() -> None:
    with pytest.raises(OrchestratorUnavailable, match="2 free addresses, 3 are needed"):
        choose_free("10.0.1.0/30", taken=(), count=3)
