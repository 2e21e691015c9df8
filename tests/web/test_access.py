"""Who may do what: every door of the running application tried as everyone, against what is written in tries.py."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from typing import Any, Final, cast

import pytest
from starlette.routing import Route, WebSocketRoute
from tests.web.answers import OK, Answers
from tests.web.crowd import Crowd, undone
from tests.web.door import Person
from tests.web.listening import listen
from tests.web.tries import PAGES, ROOMS, TRIES, Try

from towline.models.base import utc_now
from towline.web.app import create_app
from towline.web.cookies import SESSION_COOKIE
from towline.web.dashboard.router import FORMS as DASHBOARD_FORMS
from towline.web.dashboard.router import PAGES as DASHBOARD_PAGES
from towline.web.operations import OperationRoute

pytestmark = pytest.mark.asyncio(loop_scope="module")
AREAS: Final = sorted({name.partition(".")[0] for name in TRIES})


@pytest.mark.parametrize("area", AREAS)
async def test_everyone_gets_exactly_what_is_written(crowd: Crowd, area: str) -> None:
    await _check(crowd, area, [who for who in crowd.people if not who.startswith("only ")])


@pytest.mark.slow
@pytest.mark.parametrize("area", AREAS)
async def test_a_key_of_one_scope_gets_exactly_what_is_written(crowd: Crowd, area: str) -> None:
    await _check(crowd, area, [who for who in crowd.people if who.startswith("only ")])


async def test_pages_are_shown_as_is_written(crowd: Crowd) -> None:
    wrong: dict[str, str] = {}
    for name, expected in PAGES.items():
        for who, person in crowd.visitors.items():
            async with _undone(crowd, name.partition(" ")[0]):
                status = await _visit(crowd, name, person)
            if status != expected.expected_of(who):
                wrong[f"{name} as {who}"] = f"{status} instead of {expected.expected_of(who)}"
    assert not wrong, _told(wrong)


async def test_everyone_enters_only_the_rooms_that_are_written(crowd: Crowd) -> None:
    wrong: dict[str, str] = {}
    for room, answers in ROOMS.items():
        for who, person in crowd.people.items():
            status = await listen(crowd.door, person, room.format(**crowd.values))
            if not _is_right(status, answers, who):
                wrong[f"{room} as {who}"] = f"{status} instead of {answers.expected_of(who) or 'ok'}"
    assert not wrong, _told(wrong)


async def test_no_door_is_unknown_here() -> None:
    app = create_app(None)  # pyright: ignore[reportArgumentType] - nothing is served
    mounted = {route.operation.id for route in app.routes if isinstance(route, OperationRoute)}
    sockets = {route.name for route in app.routes if isinstance(route, WebSocketRoute)}
    others: set[str] = set()
    for route in app.routes:
        if not isinstance(route, OperationRoute | WebSocketRoute):
            assert isinstance(route, Route), f"{route} has to be tried as everyone"
            others |= {f"{method} {route.path}" for method in (route.methods or ()) if method != "HEAD"}
    assert mounted == {name.partition(" ")[0] for name in TRIES}
    assert sockets == {"events", "waking-socket"}
    dashboard = {f"GET {path}" for path in DASHBOARD_PAGES} | {f"POST {path}" for path in DASHBOARD_FORMS}
    assert others == PAGES.keys() | dashboard  # each of those is tried as everyone in tests/web/dashboard


async def test_what_one_may_not_see_looks_like_what_does_not_exist(crowd: Crowd) -> None:
    stranger, path = crowd.people["stranger"], "/projects/{project}/services/{service}"
    names = {"project": crowd.values["project"], "service": crowd.values["service"]}
    hidden = await stranger.call("GET", path.format(**names))
    missing = await stranger.call("GET", path.format(project="prj_" + "0" * 26, service=names["service"]))
    assert hidden.status_code == missing.status_code == 404
    same = [answer.text.replace(names["project"], "ID") for answer in (hidden, missing)]
    assert same[0] == same[1].replace("prj_" + "0" * 26, "ID")


async def test_a_key_works_until_it_expires_and_from_where_it_may_be_used(crowd: Crowd) -> None:
    async with undone(crowd.door):
        ann = await crowd.door.add_person()
        soon = await crowd.door.add_key(ann.user_id, expires_at=utc_now() + timedelta(minutes=1))
        here = await crowd.door.add_key(ann.user_id, addresses=["203.0.113.0/24"])
        assert [(await key.call("GET", "/account")).status_code for key in (soon, here)] == [200, 200]


async def _check(crowd: Crowd, area: str, people: list[str]) -> None:
    wrong: dict[str, str] = {}
    for name, attempt in TRIES.items():
        for who in people if name.partition(".")[0] == area else ():
            async with _undone(crowd, attempt.method):
                status = await _try(crowd, attempt, crowd.people[who])
            if not _is_right(status, attempt.answers, who):
                wrong[f"{name} as {who}"] = f"{status} instead of {attempt.answers.expected_of(who) or 'ok'}"
    assert not wrong, _told(wrong)


@asynccontextmanager
async def _undone(crowd: Crowd, method: str) -> AsyncGenerator[None]:
    """What only reads needs no undoing, and may want a kind of transaction that cannot be within another."""
    async with nullcontext() if method == "GET" else undone(crowd.door):
        yield


def _told(wrong: dict[str, str]) -> str:
    return "\n".join(f"{name}: {what}" for name, what in wrong.items())


def _is_right(status: int, answers: Answers, who: str) -> bool:
    expected = answers.expected_of(who)
    return status not in {401, 403, 404} and status < 500 if expected == OK else status == expected


async def _try(crowd: Crowd, attempt: Try, person: Person) -> int:
    values = crowd.values_for(person)
    answer = await person.call(
        attempt.method,
        attempt.path.format(**values),
        json=_filled(attempt.body, values),
        params=_filled(attempt.query, values),
        headers=dict(attempt.headers),
    )
    return answer.status_code


async def _visit(crowd: Crowd, name: str, person: Person) -> int:
    """The status of a page, for a browser with the person's session."""
    method, _, path = name.partition(" ")
    values = crowd.values_for(person) | {"status": "503", "token": "t" * 43, "environment": "staging", "hook": "none"}
    values |= {"name": "none", "source": "github", "key": "rou-none"}
    path = path.replace("{path:path}", "page")
    headers = {"Cookie": f"{SESSION_COOKIE}={person.token}", "Origin": "http://towline.test", "Accept": "text/html"}
    answer = await crowd.door.http.request(method, path.format(**values), headers=headers)
    crowd.door.http.cookies.clear()
    return answer.status_code


def _filled(template: Any, values: dict[str, str]) -> Any:
    """What is written, with the ids of what there is."""
    if isinstance(template, str):
        return template.format(**values)
    if isinstance(template, dict):
        entries = cast("dict[str, Any]", template)
        return {name: _filled(value, values) for name, value in entries.items()}
    return [_filled(value, values) for value in cast("list[Any]", template)] if isinstance(template, list) else template
