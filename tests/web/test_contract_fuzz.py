"""Whatever fits the contract, and whatever does not: the answer is one of the contract, and no fault of ours."""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from importlib import import_module
from typing import Any, Final, cast

import hypothesis
import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from tests.web.crowd import Crowd, undone

from towline.contract.routes.table import OPERATIONS
from towline.contract.uploads import UPLOAD_MEDIA_TYPE
from towline.web.openapi import build_openapi

pytestmark = pytest.mark.asyncio(loop_scope="module")
FEW: Final = int(os.environ.get("TOWLINE_FUZZ_EXAMPLES", "2"))
MANY: Final = int(os.environ.get("TOWLINE_FUZZ_EXAMPLES", "60"))
"""How many calls of each kind to each operation."""

AREAS: Final = sorted({operation.id.partition(".")[0] for operation in OPERATIONS if operation.method != "WEBSOCKET"})
SECONDS: Final = float(os.environ.get("TOWLINE_FUZZ_SECONDS", "200")) / len(AREAS)
"""After which time a group of operations is left as it is: so long for all of them together, however many come."""
OTHER_NAMES: Final = {"user": "member", "dependency": "needed"}
SET: Final = {"environment": "staging", "number": "1", "name": "KEPT"}
"""Parameters that the crowd knows by another name, and those that are the same for everybody."""


@pytest.fixture(scope="module")
def contract() -> Any:
    """The contract as schemathesis knows it, which takes its time to be loaded."""
    schemathesis = import_module("schemathesis")
    schemathesis.serializer(UPLOAD_MEDIA_TYPE)(_as_bytes)
    return schemathesis.openapi.from_dict(build_openapi())


@pytest.mark.parametrize("area", AREAS)
async def test_few_calls_get_answers_of_the_contract(crowd: Crowd, contract: Any, area: str) -> None:
    await _call_all(crowd, contract, area, examples=FEW)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("area", AREAS)
async def test_many_calls_get_answers_of_the_contract(crowd: Crowd, contract: Any, area: str) -> None:
    await _call_all(crowd, contract, area, examples=MANY)


async def _call_all(crowd: Crowd, contract: Any, area: str, *, examples: int) -> None:
    loop, until = asyncio.get_running_loop(), time.monotonic() + SECONDS
    wrong: set[str] = set()

    def call_one(drawn: tuple[Any, int]) -> None:
        if time.monotonic() < until:
            wrong.update(asyncio.run_coroutine_threadsafe(_call(crowd, *drawn), loop).result(40))

    for operation in _operations(contract, area):
        for mode in ("positive", "negative"):
            # There is no wrong way to call an operation that takes nothing.
            with contextlib.suppress(Unsatisfiable):
                await asyncio.to_thread(_explore, operation, mode, examples, call_one)
    if wrong:
        pytest.fail("\n\n".join(sorted(wrong)), pytrace=False)


def _operations(contract: Any, area: str) -> Iterator[Any]:
    for result in contract.get_all_operations():
        operation = result.ok()
        if operation.definition.raw["operationId"].partition(".")[0] == area:
            yield operation


def _explore(operation: Any, mode: str, examples: int, call_one: Any) -> None:
    generation = import_module("schemathesis").GenerationMode(mode)
    settings = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    cases = st.tuples(operation.as_strategy(generation_mode=generation), st.integers(0, 3))
    settings(hypothesis.given(cases)(call_one))()


async def _call(crowd: Crowd, case: Any, chance: int) -> list[str]:
    """Call as an administrator, three times in four for objects that exist; what is wrong with the answer."""
    if chance:
        _name_what_exists(crowd, case)
    wanted: dict[str, Any] = case.as_transport_kwargs(base_url="http://towline.test")
    wanted["headers"]["Authorization"] = f"Bearer {crowd.people['root'].token}"
    given = wanted.pop("data", None)
    wanted["content"] = given if given is None or isinstance(given, bytes | str) else repr(given)
    del wanted["cookies"]
    if case.query and "follow" in case.query:
        wanted["params"]["follow"] = "false"  # an answer that follows has no end
    async with asyncio.timeout(20), nullcontext() if case.method == "GET" else undone(crowd.door):
        answer = await crowd.door.http.request(**wanted)
    try:
        case.validate_response(answer, checks=_checks())
    except BaseExceptionGroup as found:
        return [str(error) for error in found.exceptions] + [f"{case.method} {case.path}: {found.message}"]
    return []


def _name_what_exists(crowd: Crowd, case: Any) -> None:
    values = crowd.values_for(crowd.people["root"]) | SET
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict):
            given = cast("dict[str, Any]", part)
            known = {name: values.get(OTHER_NAMES.get(name, name)) for name in given}
            given |= {name: value for name, value in known.items() if value is not None}


def _as_bytes(_context: Any, value: object) -> dict[str, bytes]:
    return {"data": value if isinstance(value, bytes) else str(value).encode(errors="replace")}


def _checks() -> list[Any]:
    ours, of_openapi = import_module("schemathesis.checks"), import_module("schemathesis.specs.openapi.checks")
    return [
        ours.not_a_server_error,
        of_openapi.status_code_conformance,
        of_openapi.content_type_conformance,
        of_openapi.response_headers_conformance,
        of_openapi.response_schema_conformance,
    ]
