"""Whom a provider's word leads to."""

from typing import Any

import pytest
from sqlalchemy import select
from tests.stand_ins import World

from towline.actions.access import Caller
from towline.actions.identities.arriving import Arrival, safe_path
from towline.actions.identities.base import Profile
from towline.actions.identities.linking import (
    canonical_address,
    confirm_link,
    find_or_add_user,
    list_identities,
    offer_link,
    unlink,
)
from towline.actions.invitations import invite_to_project
from towline.actions.members import find_member
from towline.actions.platform import Platform
from towline.errors import Conflict, Forbidden, NotFound, SignInRefused, TowlineError
from towline.models.accounts import User
from towline.models.identities import Identity, IdentityProvider
from towline.names import new_id

HERE = "shop@example.test"
"""The address of the user who is here."""


async def _provider(platform: Platform, **values: Any) -> IdentityProvider:
    provider = IdentityProvider(
        id=new_id("idp"),
        name=new_id("p")[2:],
        title="Company",
        kind="oidc",
        issuer="https://sso.example.com",
        client_id="towline",
        client_secret=b"",
        **values,
    )
    async with platform.database.transaction() as work:
        work.session.add(provider)
    return provider


def _arrival(provider: IdentityProvider, email: str, *, is_verified: bool = True, subject: str = "1") -> Arrival:
    profile = Profile(subject, email, is_email_verified=is_verified, name="Ann")
    return Arrival(provider, profile, user_id="", next_path="")


async def _arrive(platform: Platform, arrival: Arrival) -> User:
    async with platform.database.transaction() as work:
        return await find_or_add_user(platform, work, arrival, address="203.0.113.9")


REFUSED: list[tuple[dict[str, Any], str, bool]] = [
    ({}, "new@example.com", True),
    ({"allows_sign_up": True, "email_domains": ["example.com"]}, "new@elsewhere.example", True),
    ({"allows_sign_up": True, "email_domains": ["example.com"]}, "new@sub.example.com", True),
    ({"allows_sign_up": True, "email_domains": ["example.com"]}, "new@example.com@elsewhere.example", True),
    ({"allows_sign_up": True, "is_trusted": True}, "new@example.com", False),
    ({"allows_sign_up": True, "is_trusted": True}, "", True),
    ({"allows_sign_up": True, "is_trusted": True}, HERE, False),
    ({"allows_sign_up": True}, HERE, True),
    ({"is_trusted": True}, HERE.replace("e", "\u0435"), True),
    ({"allows_sign_up": True, "is_trusted": True}, HERE.replace("s", "\u017f"), True),
]


async def test_nobody_is_led_to_a_user_on_too_little(world: World) -> None:
    for settings, email, is_verified in REFUSED:
        provider = await _provider(world.platform, **settings)
        with pytest.raises(SignInRefused):
            await _arrive(world.platform, _arrival(provider, email, is_verified=is_verified))
    async with world.platform.database.transaction() as work:
        assert (await work.session.scalars(select(Identity))).all() == []
        assert len((await work.session.scalars(select(User))).all()) == 1


async def test_a_known_identity_stays_the_same_user_whatever_its_address_becomes(world: World) -> None:
    provider = await _provider(world.platform, is_trusted=True)
    user = await _arrive(world.platform, _arrival(provider, HERE.upper()))
    assert user.id == world.user.id
    again = await _arrive(world.platform, _arrival(provider, "other@example.com", is_verified=False))
    assert again.id == world.user.id
    elsewhere = await _provider(world.platform, allows_sign_up=True)
    other = await _arrive(world.platform, _arrival(elsewhere, "other@example.com"))
    assert (other.id == world.user.id, other.is_administrator) == (False, False)


async def test_an_invited_address_joins_by_a_trusted_provider_only(world: World) -> None:
    platform, owner = world.platform, Caller(world.user.id, email=HERE)
    async with platform.database.transaction() as work:
        await invite_to_project(platform, work, owner, world.project, email="bob@example.com", role="developer")
    with pytest.raises(SignInRefused):
        await _arrive(platform, _arrival(await _provider(platform), "bob@example.com"))
    bob = await _arrive(platform, _arrival(await _provider(platform, is_trusted=True), "bob@example.com"))
    async with platform.database.transaction() as work:
        member = await find_member(work.session, world.project.id, bob.id)
    assert member is not None
    assert member.role == "developer"


async def test_a_link_is_confirmed_once_by_who_began_it(world: World) -> None:
    platform = world.platform
    provider = await _provider(platform, allows_sign_up=True)
    other = await _arrive(platform, _arrival(provider, "other@example.com", subject="taken"))

    async def confirm(subject: str, by: User) -> None:
        arrival = Arrival(provider, Profile(subject, "x@example.com", True, ""), world.user.id, "")
        async with platform.database.transaction() as work:
            ticket = await offer_link(work, arrival)
        for expected in (None, NotFound):
            async with platform.database.transaction() as work:
                if expected is None:
                    await confirm_link(work, by, ticket, address="")
                    continue
                with pytest.raises(expected):
                    await confirm_link(work, by, ticket, address="")

    await confirm("mine", world.user)
    with pytest.raises(Conflict):
        await confirm("taken", world.user)
    with pytest.raises(Forbidden):
        await confirm("another", other)


async def test_the_last_way_to_sign_in_cannot_be_removed(world: World) -> None:
    platform = world.platform
    first, second = await _provider(platform, is_trusted=True), await _provider(platform, is_trusted=True)
    for provider in (first, second):
        await _arrive(platform, _arrival(provider, HERE))
    async with platform.database.transaction() as work:
        mine = [identity.id for identity, _ in await list_identities(work.session, world.user.id)]
        with pytest.raises(NotFound):
            await unlink(work, world.user.id, "idn_0")
        (await work.session.get_one(IdentityProvider, second.id)).is_enabled = False
    await _expect(platform, world.user.id, mine[0], Conflict)
    async with platform.database.transaction() as work:
        (await work.session.get_one(IdentityProvider, second.id)).is_enabled = True
    await _expect(platform, world.user.id, mine[0], None)
    await _expect(platform, world.user.id, mine[1], Conflict)
    async with platform.database.transaction() as work:
        (await work.session.get_one(User, world.user.id)).password_hash = "x"
    await _expect(platform, world.user.id, mine[1], None)


async def _expect(platform: Platform, user_id: str, identity_id: str, error: type[TowlineError] | None) -> None:
    async with platform.database.transaction() as work:
        if error is None:
            await unlink(work, user_id, identity_id)
            return
        with pytest.raises(error):
            await unlink(work, user_id, identity_id)


def test_addresses_and_paths_are_taken_in_one_plain_form_only() -> None:
    assert canonical_address("Ann.B+x@Example.com") == "ann.b+x@example.com"
    for wrong in ("", "ann", "@b.example", "a@b@c.example", "a b@c.example", "a@b.example\n", "\u212aim@b.example"):
        assert canonical_address(wrong) == ""
    assert safe_path("/device?code=WDJB-MJHT") == "/device?code=WDJB-MJHT"
    for wrong in (
        "",
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/a\r\nb",
        "device",
        "/" + "a" * 600,
    ):
        assert safe_path(wrong) == ""
