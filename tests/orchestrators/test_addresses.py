"""Which addresses instances get."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from towline.errors import OrchestratorUnavailable
from towline.orchestrators.docker.addresses import choose_free, choose_row, halves


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


def test_a_row_of_addresses_has_no_gap_where_that_can_be() -> None:
    taken = {"10.0.1.20", "10.0.1.90"}
    chosen = [int(IPv4Address(address)) for address in choose_row("10.0.1.0/24", taken=taken, count=60)]
    assert [number - chosen[0] for number in chosen] == list(range(60))


def test_a_row_with_gaps_is_better_than_none() -> None:
    taken = {f"10.0.1.{number}" for number in range(0, 256, 2)}
    chosen = choose_row("10.0.1.0/24", taken=taken, count=20)
    assert len(set(chosen) - taken) == 20
