"""What DNS says of a domain, in words: nothing, another server, this one, or no answer."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from towline.actions.domain_check import check_domain
from towline.actions.platform import Platform

LookUp = Callable[[str], Awaitable[Sequence[str] | None]]


def dns(*addresses: str, is_silent: bool = False) -> LookUp:
    """A resolver that gives these addresses for every name."""

    async def look_up(host: str) -> Sequence[str] | None:
        assert host == "towline-check.example.com"
        return None if is_silent else addresses

    return look_up


@pytest.mark.parametrize(
    ("look_up", "problem", "hint"),
    [
        (dns("203.0.113.9"), "", ""),
        (dns(), "has no address", "*.example.com to 203.0.113.9"),
        (dns("203.0.113.1"), "leads to 203.0.113.1, which is not this server", "Change the wildcard record"),
        (dns(is_silent=True), "DNS did not answer in time", "Try again"),
    ],
)
async def test_a_domain_leads_to_this_server_or_the_reason_is_said(
    platform: Platform, look_up: LookUp, problem: str, hint: str
) -> None:
    settings = platform.settings.model_copy(update={"public_addresses": ("203.0.113.9",)})
    found = await check_domain(replace(platform, settings=settings), "example.com", look_up=look_up)
    assert (problem in found.problem, hint in found.hint) == (True, True)
    assert bool(found.problem) == bool(problem)


async def test_a_server_that_does_not_know_its_addresses_takes_any(platform: Platform) -> None:
    assert (await check_domain(platform, "example.com", look_up=dns("203.0.113.1"))).problem == ""
