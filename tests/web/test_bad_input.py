"""Bytes of any kind are answered with a problem, never with a fault of our own."""

import asyncio
import base64
import json
from collections.abc import Iterable
from typing import Any, Final

import pytest
from fastapi import Request
from starlette.types import Message
from tests.web.door import Door, Person

from towline.contract.problems import PROBLEM_MEDIA_TYPE, Problem
from towline.errors import InvalidInput
from towline.web.bodies import read_at_most

_JSON: Final = {"Content-Type": "application/json"}

BODIES: Final = [
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"\xff\xfe",
    b'{"name": "\xff"}',
    b'{"name": "\\ud800"}',
    b'{"name": "a\\u0000b"}',
    b'{"name": 1e400}',
    b'{"name": ' + b"9" * 10_000 + b"}",
    b'{"name":' * 5000 + b"1" + b"}" * 5000,
    b"[" * 100_000,
    b'{"name": NaN}',
    b"",
    b"   ",
]
VALUES: Final[list[Any]] = [
    "\0",
    "a\0b",
    "\ud800",
    "x" * 70_000,
    -1,
    2**63,
    2**200,
    1.5,
    True,
    [],
    {},
    [[]] * 100,
    None,
]
PATHS: Final = [
    "/projects/%00",
    "/projects/%ff%fe",
    "/projects/%ed%a0%80",
    "/projects/a%2Fb",
    "/projects/" + "x" * 5000,
    "/projects/shop/services/%00",
    "/deployments/%27%20OR%201=1",
    "/deployments/..",
]
HEADERS: Final = ["", "Basic YTpi", "Bearer", "Bearer  ", "Bearer ü", "Bearer x y", "Bearer " + "x" * 600]


def _cursor(key: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).rstrip(b"=").decode()


CURSORS: Final = ["x", "%00", "=", "ü", *map(_cursor, ([], [1], ["a", 1.5], {"a": 1}, ["\0"], [2**70]))]
LIMITS: Final = ["0", "-1", "201", "x", "1e3", "9" * 400, "", "1.5"]


def _problem(answer: Any, status: int) -> Problem:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    return Problem.model_validate_json(answer.content)


@pytest.fixture
async def ann(door: Door) -> Person:
    """Someone with a project `shop`."""
    person = await door.add_person()
    await person.post("/projects", {"name": "shop"})
    return person


async def _check_all(person: Person, paths: Iterable[str], **query: list[str]) -> None:
    [(name, values)] = query.items()
    for path in paths:
        for value in values:
            answer = await person.call("GET", path, params={name: value})
            assert _problem(answer, 422).field == name, (path, value)


async def test_a_body_that_is_no_such_object_is_refused(ann: Person) -> None:
    for body in BODIES:
        _problem(await ann.call("POST", "/projects", content=body, headers=_JSON), 422)


async def test_a_field_of_any_value_is_taken_or_refused_by_name(ann: Person) -> None:
    for field in ("description", "base_domain", "name"):
        for number, value in enumerate(VALUES):
            body = json.dumps({"name": f"other-{field.partition('_')[0]}-{number}", field: value}).encode()
            answer = await ann.call("POST", "/projects", content=body, headers=_JSON)
            assert answer.status_code in {201, 422}, answer.text
            if answer.status_code == 422 and value != "\ud800":
                assert [fault.field for fault in _problem(answer, 422).errors] == [field]


async def test_json_of_any_text_in_a_source_is_refused(ann: Person) -> None:
    for value in ("\0", "\ud800", "a\0", "x" * 10_000):
        source = {"type": "git", "config": {"url": "https://git.example.com/a.git", "branch": value}}
        body = json.dumps({"name": "api", "source": source}).encode()
        _problem(await ann.call("POST", "/projects/shop/services", content=body, headers=_JSON), 422)


async def test_a_name_that_cannot_be_is_not_found(ann: Person) -> None:
    for path in PATHS:
        _problem(await ann.call("GET", path), 404)
    _problem(await ann.call("DELETE", "/keys/%F0%9F%92%A9"), 404)
    _problem(await ann.call("GET", "/projects/shop/uploads/sha256:zz"), 404)


async def test_a_cursor_that_the_list_did_not_give_is_refused_by_name(ann: Person) -> None:
    paths = ("/projects", "/projects/shop/services", "/projects/shop/environments", "/keys", "/registries")
    await _check_all(ann, paths, cursor=CURSORS)


async def test_a_limit_out_of_range_is_refused_by_name(ann: Person) -> None:
    await _check_all(ann, ["/projects"], limit=LIMITS)


async def test_unknown_parameters_are_refused(ann: Person) -> None:
    await _check_all(ann, ["/projects", "/projects/shop"], colour=["red"])


async def test_a_body_over_a_mebibyte_is_refused(ann: Person) -> None:
    body = b'{"name": "x", "description": "' + b"x" * 1_100_000 + b'"}'
    _problem(await ann.call("POST", "/projects", content=body, headers=_JSON), 413)


async def test_another_kind_of_body_is_refused(ann: Person) -> None:
    answer = await ann.call("POST", "/projects", content=b"name=x", headers={"Content-Type": "text/plain"})
    assert _problem(answer, 422).field == "body"


async def test_unknown_addresses_and_methods_are_problems_too(ann: Person) -> None:
    assert _problem(await ann.call("GET", "/no-such"), 404).code == "not-found"
    answer = await ann.call("PUT", "/projects")
    assert _problem(answer, 405).code == "not-allowed"
    assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_a_header_without_a_key_is_unauthenticated(door: Door) -> None:
    for header in HEADERS:
        answer = await door.nobody().call("GET", "/projects", headers={"Authorization": header.encode()})
        assert _problem(answer, 401).code == "unauthenticated"
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_every_answer_says_not_to_guess_nor_keep_it(door: Door, ann: Person) -> None:
    for answer in (await ann.call("GET", "/projects"), await door.nobody().call("GET", "/projects")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


async def test_who_sends_nothing_more_is_not_waited_for() -> None:
    pieces: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Message:
        return pieces.pop() if pieces else await asyncio.Future()

    with pytest.raises(InvalidInput, match="did not come"):
        await read_at_most(Request({"type": "http"}, receive), 10, seconds=0.01)
