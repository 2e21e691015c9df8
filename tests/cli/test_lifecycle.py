"""Changing what runs, and waiting until it is so."""

from concurrent.futures import ThreadPoolExecutor

from tests.cli.conftest import Run
from tests.client.stub_state import StubState
from tests.conftest import wait_until


def test_scaling_waits_until_as_many_run_as_are_wanted(deployed: Run, state: StubState) -> None:
    key = state.find_key("shop", "shop")
    with ThreadPoolExecutor(1) as scaler:
        state.calls.clear()
        scaling = scaler.submit(lambda: deployed("scale", "3", "--wait", "--json").json)
        wait_until(lambda: [name for name, _ in state.calls].count("services.getStatus") >= 2)
        assert not scaling.done()
        state.statuses[key] = state.statuses[key].model_copy(update={"running": 3})
        assert scaling.result(10)["running"] == 3


def test_nothing_is_waited_for_when_it_is_so_already(deployed: Run) -> None:
    assert deployed("restart", "--wait").code == 0
    assert deployed("start", "--wait", "--json").json["running"] == 1
