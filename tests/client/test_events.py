"""Events go on while the server comes and goes."""

from concurrent.futures import ThreadPoolExecutor

from tests.client.stub_server import serve
from tests.client.stub_state import API_KEY, StubState

from towline.client import TowlineClient


def test_events_go_on_after_the_server_was_gone_and_not_ready_for_a_moment(state: StubState) -> None:
    with serve(state) as url, TowlineClient(url, API_KEY) as client:
        events = client.events.follow(["project:prj_1"])
        seen = [next(events).sequence for _ in range(2)]
    state.refusals_before_events = 1
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(lambda: [next(events).sequence for _ in range(2)])
        with serve(state, port=int(url.rpartition(":")[2])):
            assert seen + following.result(20) == [5, 6, 7, 8]
