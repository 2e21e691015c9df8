"""The role table: each role holds what those below it hold, and nobody gives more than they hold."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from towline.actions.access import INSTANCE_PERMISSIONS, ROLE_PERMISSIONS, Caller, Permission, Role
from towline.actions.granting import can_grant, held_permissions, stronger_role

# Written out by hand: the founding document's matrix, each role with what the roles below it hold.
EXPECTED = {
    "viewer": "view_projects view_logs",
    "developer": "view_projects view_logs deploy create_previews",
    "admin": "view_projects view_logs deploy create_previews manage_services manage_collaborators",
    "owner": "view_projects view_logs deploy create_previews manage_services manage_collaborators manage_project",
}
ASCENDING = ("viewer", "developer", "admin", "owner")

roles = st.sampled_from(ASCENDING)
scopes = st.none() | st.frozensets(st.sampled_from(list(Permission)))
callers = st.builds(
    Caller,
    user_id=st.sampled_from(["", "usr_1"]),
    is_administrator=st.booleans(),
    scopes=scopes,
)


def test_the_matrix_is_the_founding_one() -> None:
    assert {role.value: set(held) for role, held in ROLE_PERMISSIONS.items()} == {
        name: {Permission(word) for word in words.split()} for name, words in EXPECTED.items()
    }


def test_each_role_holds_what_those_below_it_hold_and_more() -> None:
    held = [ROLE_PERMISSIONS[Role(name)] for name in ASCENDING]
    assert all(lower < higher for lower, higher in itertools.pairwise(held))
    assert all(not permissions & INSTANCE_PERMISSIONS for permissions in held)


@given(caller=callers, own=st.none() | roles, wanted=roles)
def test_nobody_gives_more_than_they_hold(caller: Caller, own: str | None, wanted: str) -> None:
    held = held_permissions(caller, role=own)
    if can_grant(caller, wanted, role=own):
        assert caller.user_id
        assert ROLE_PERMISSIONS[Role(wanted)] <= held
        assert Permission.MANAGE_COLLABORATORS in held
        if not caller.is_administrator:
            assert own is not None
            assert ASCENDING.index(wanted) <= ASCENDING.index(own)
    if caller.scopes is not None:
        assert held <= caller.scopes


@given(caller=callers, own=roles, wanted=roles, less=roles)
def test_who_may_give_a_role_may_give_every_lesser_one(caller: Caller, own: str, wanted: str, less: str) -> None:
    if can_grant(caller, wanted, role=own) and ASCENDING.index(less) <= ASCENDING.index(wanted):
        assert can_grant(caller, less, role=own)


@given(caller=callers, own=roles, higher=roles, wanted=roles)
def test_a_higher_role_never_may_less(caller: Caller, own: str, higher: str, wanted: str) -> None:
    if ASCENDING.index(higher) >= ASCENDING.index(own) and can_grant(caller, wanted, role=own):
        assert can_grant(caller, wanted, role=higher)


@given(one=roles, other=roles)
def test_the_stronger_of_two_roles_holds_what_both_hold(one: str, other: str) -> None:
    stronger = ROLE_PERMISSIONS[Role(stronger_role(one, other))]
    assert stronger == ROLE_PERMISSIONS[Role(one)] | ROLE_PERMISSIONS[Role(other)]
