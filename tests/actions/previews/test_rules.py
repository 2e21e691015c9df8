"""Rules and names of previews: no rows, no clock."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline.actions.previews.rules import Member, Rules, choose_services, other_name, preview_name, to_rules
from towline.actions.previews.rules import rules_payload as payload
from towline.contract.previews import PreviewRules
from towline.errors import InvalidInput
from towline.names import SLUG_PATTERN, preview_label

_MEMBERS = [
    Member("1", "web", "web"),
    Member("2", "api", "web"),
    Member("3", "db", "worker"),
    Member("4", "docs", "web"),
]
_NEEDS = {"1": ["2"], "2": ["3"]}
_slugs = st.from_regex(SLUG_PATTERN, fullmatch=True)


def _choose(*, main: str | None = None, scope: str = "project", shared: tuple[str, ...] = ()) -> tuple[str, str, str]:
    found = choose_services(_MEMBERS, _NEEDS, project="shop", main=main, scope=scope, shared=shared)
    return found.main or "", "".join(found.own), "".join(found.shared)


def test_a_preview_has_what_is_asked_for_and_sharing_ends_the_graph() -> None:
    assert _choose() == ("4", "1234", "")
    assert _choose(main="web", shared=("db",)) == ("1", "124", "3")
    assert _choose(main="web", scope="graph") == ("1", "123", "")
    assert _choose(main="web", scope="graph", shared=("api",)) == ("1", "1", "2")
    assert _choose(main="web", scope="service") == ("1", "1", "2")


def test_what_is_not_there_and_what_leaves_nothing_is_refused() -> None:
    for main, shared in (("none", ()), (None, ("none",)), (None, ("web", "api", "db", "docs"))):
        with pytest.raises(InvalidInput):
            _choose(main=main, shared=shared)
    with pytest.raises(InvalidInput, match="no main service"):
        choose_services([Member("1", "job", "worker")], {}, project="shop", main=None, scope="graph", shared=())


def test_rules_of_the_contract_and_of_the_platform_are_the_same() -> None:
    assert payload(Rules()) == PreviewRules().model_dump(mode="json")
    given = PreviewRules(branches=["a/*"], shared=["db"], cap=3).model_dump(mode="json")
    assert payload(to_rules(given)) == given


def test_requests_and_branches_are_wanted_as_the_rules_say() -> None:
    rules = Rules(pull_requests=True, label="preview", forks=False, branches=("try/*",))
    assert rules.wants_request({"preview", "x"}, is_fork=False)
    assert not rules.wants_request({"x"}, is_fork=False)
    assert not rules.wants_request({"preview"}, is_fork=True)
    assert not Rules().wants_request({"preview"}, is_fork=False)
    assert rules.wants_branch("try/a")
    assert not rules.wants_branch("main")


@given(st.lists(st.text(min_size=1, max_size=300), min_size=2, max_size=2, unique=True), _slugs)
def test_no_two_branches_have_one_name_and_every_name_makes_a_label(branches: list[str], project: str) -> None:
    first, second = (preview_name(branch=branch) for branch in branches)
    assert first != second
    for name in (first, second, other_name(first, seed="prv_1")):
        assert re.fullmatch(SLUG_PATTERN, name), name
        assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", preview_label(project=project, custom=name))


@given(st.integers(min_value=1, max_value=10**12), st.text(min_size=1, max_size=60))
def test_a_request_is_called_by_its_number_and_a_hash_tells_it_from_what_is_called_so(number: int, seed: str) -> None:
    name = preview_name(number=number)
    assert name == f"pr-{number}"
    assert other_name(name, seed=seed).startswith(f"{name}-")
