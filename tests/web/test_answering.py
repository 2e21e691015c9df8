"""What holds for every answer: who is seen calling, and what happens when a part is missing."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from tests.stand_ins import stand_in_platform
from tests.web.door import open_door

from towline.actions.keys import make_token
from towline.actions.platform import Platform
from towline.config import Settings
from towline.contract.routes.table import OPERATIONS
from towline.sources.base import Source
from towline.web.access import check_admitted
from towline.web.addresses import client_address
from towline.web.deps import Call
from towline.web.operations import OperationRouter


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "address"),
    [
        ("127.0.0.1", "203.0.113.9", "", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9", "", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, <script>", "", "127.0.0.1"),
        ("203.0.113.9", "6.6.6.6", "", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.5", "", "10.0.0.5"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.5", "10.0.0.0/8", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, 2001:db8::9, 2001:db8:1::5, 10.0.0.5", "10.0.0.5, 2001:db8:1::/48", "2001:db8::9"),
        ("127.0.0.1", "10.0.0.7", "10.0.0.0/8", "10.0.0.7"),
    ],
)
def test_only_what_proxies_of_the_settings_say_counts(peer: str, forwarded: str, proxies: str, address: str) -> None:
    app = FastAPI()
    app.state.platform = SimpleNamespace(settings=Settings.model_validate({"trusted_proxies": proxies}))
    headers = [(b"x-forwarded-for", forwarded.encode())]
    connection = HTTPConnection({"type": "http", "app": app, "headers": headers, "client": (peer, 1)})
    assert client_address(connection) == address


async def test_without_a_database_the_answer_is_unavailable(tmp_path: Path) -> None:
    url = f"postgresql+asyncpg://nobody@/none?host={tmp_path}"
    async with (
        stand_in_platform(tmp_path, postgres_url=url, redis_url="unix:///none") as platform,
        open_door(platform) as door,
    ):
        person = door.nobody()
        person.token = make_token()
        answer = await person.call("GET", "/projects")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")


async def test_a_fault_of_our_own_is_told_without_detail_and_changes_nothing(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    broken = cast("Source", object())
    async with open_door(replace(platform, sources={"git": broken})) as door:
        ann = await door.add_person()
        await ann.post("/projects", {"name": "shop"})
        body = {"name": "api", "source": {"type": "git", "config": {"url": "https://example.com/a.git"}}}
        answer = await ann.call("POST", "/projects/shop/services", json=body, headers={"Idempotency-Key": "one"})
        assert (answer.status_code, answer.json()["detail"]) == (500, "Towline failed to answer.")
        assert (await ann.get("/projects/shop/services"))["items"] == []
        again = await ann.call("POST", "/projects/shop/services", json=body, headers={"Idempotency-Key": "one"})
        assert again.status_code == 500
    assert "validate_config" in caplog.text


def test_an_operation_that_is_not_in_the_table_cannot_be_mounted() -> None:
    with pytest.raises(KeyError):
        OperationRouter().operation("projects.explode")


def test_an_endpoint_must_take_what_the_table_says() -> None:
    async def wrong(call: Call) -> None:
        raise NotImplementedError

    with pytest.raises(TypeError, match=r"projects\.create: the endpoint's `body` must be"):
        OperationRouter().operation("projects.create")(wrong)


def test_an_operation_that_checked_nothing_answers_nothing() -> None:
    nothing = cast("Any", None)
    call = Call(nothing, OPERATIONS[0], nothing, nothing)
    with pytest.raises(RuntimeError, match=r"projects\.list checked no permission"):
        check_admitted(call)
