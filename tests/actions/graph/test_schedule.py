"""The schedule: right order, everything that can run runs, and a failure reaches just those that need it."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.actions.graph.graphs import Graph, graphs

from towline.actions.graph.decision import Decision, MemberState, decide
from towline.actions.graph.order import needs_of, reversed_graph
from towline.actions.graph.schedule import Schedule, group_schedule

seeds = st.integers(0, 2**32)
some = settings(max_examples=20, deadline=None)


def step(schedule: Schedule, chance: random.Random, *, failing: set[str]) -> None:
    """Begin all that may begin, then let one running node end."""
    schedule.begin()
    node = chance.choice(sorted(schedule.running))
    (schedule.fail if node in failing else schedule.succeed)(node)


@some
@given(graphs(), seeds)
def test_all_that_can_run_runs_and_nothing_else(graph: Graph, seed: int) -> None:
    schedule, chance = Schedule(graph), random.Random(seed)
    while not schedule.is_over:
        step(schedule, chance, failing=set())
        schedule.begin()
        startable = {node for node, needs in graph.items() if needs <= schedule.succeeded} - schedule.succeeded
        assert schedule.running == startable

    assert schedule.succeeded == set(graph)


@some
@given(graphs(), seeds, st.integers(1, 5))
def test_a_failed_node_leaves_all_that_need_it_untouched_and_nobody_else(graph: Graph, seed: int, count: int) -> None:
    chance = random.Random(seed)
    failing = set(chance.sample(sorted(graph), min(count, len(graph))))
    schedule = Schedule(graph)
    while not schedule.is_over:
        step(schedule, chance, failing=failing)

    users = reversed_graph(graph)
    lost = set(needs_of(users, schedule.failed))
    assert set(schedule.blocked) == lost - schedule.failed
    assert schedule.succeeded == set(graph) - schedule.failed - lost
    assert all(node in needs_of(users, [cause]) for node, cause in schedule.blocked.items())
    assert schedule.failed <= failing


@some
@given(graphs(), seeds)
def test_late_nodes_wait_for_all_others_and_only_late_ones_for_them(graph: Graph, seed: int) -> None:
    chance = random.Random(seed)
    late = {node for node in graph if chance.random() < 0.2}
    early = set(graph) - late
    wanted = {node: needs_of(graph, [node]) - (set[str]() if node in late else late) for node in graph}
    schedule = group_schedule(graph, late=late)
    while not schedule.is_over:
        step(schedule, chance, failing=set())
        schedule.begin()
        if schedule.running & late:
            assert early <= schedule.succeeded
        assert all(wanted[node] <= schedule.succeeded for node in schedule.running)

    assert schedule.succeeded == set(graph)


@some
@given(graphs(), seeds, st.sampled_from((0, 1)))
def test_with_any_failing_node_a_group_ends_all_old_and_else_all_new(graph: Graph, seed: int, failures: int) -> None:
    """A model of a group: built, started, switched, with the process dying anywhere and the rows read anew."""
    chance = random.Random(seed)
    bad = set(chance.sample(sorted(graph), failures))
    built: dict[str, MemberState] = dict.fromkeys(graph, MemberState.PENDING)
    serving, is_switched, is_over = dict.fromkeys(graph, "old"), False, False
    while not is_over:
        decision = decide(built.values(), is_switched=is_switched, is_cancelled=False)
        if decision is Decision.WAIT:
            node = chance.choice([node for node, state in built.items() if state is MemberState.PENDING])
            built[node] = MemberState.LOST if node in bad and chance.random() < 0.3 else MemberState.BUILT
        elif decision is Decision.BACK:
            is_over = True
        elif decision is Decision.FORWARD:
            serving, is_over = dict.fromkeys(graph, "new"), True
        elif chance.random() < 0.8:  # else the process dies before anything is started
            failed = run_to_the_end(graph, chance, failing=bad)
            built.update(dict.fromkeys(failed, MemberState.LOST))
            is_switched = not failed and chance.random() < 0.9  # else it dies before the switch is decided
            if is_switched and chance.random() < 0.5:
                serving = dict.fromkeys(graph, "new")

    assert set(serving.values()) == ({"old"} if bad else {"new"})


def run_to_the_end(graph: Graph, chance: random.Random, *, failing: set[str]) -> set[str]:
    schedule = group_schedule(graph, late=[node for node in graph if chance.random() < 0.1])
    while not schedule.is_over:
        step(schedule, chance, failing=failing)
        if schedule.failed:
            return schedule.failed
    return set()


@pytest.mark.parametrize("state", MemberState)
def test_what_is_switched_goes_forward_whatever_else_the_rows_say(state: MemberState) -> None:
    assert decide([state], is_switched=True, is_cancelled=True) is Decision.FORWARD


def test_a_cancelled_or_empty_group_goes_back() -> None:
    assert decide([MemberState.BUILT], is_switched=False, is_cancelled=True) is Decision.BACK
    assert decide([], is_switched=False, is_cancelled=False) is Decision.BACK
