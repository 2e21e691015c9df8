"""The checked-in OpenAPI document is what the code says."""

import json
from pathlib import Path

from tests.web.door import Door

from towline.contract.routes.table import OPERATIONS
from towline.web.app import create_app
from towline.web.openapi import build_openapi
from towline.web.operations import OperationRoute

_FILE = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"


def test_file_and_code_agree() -> None:
    assert json.loads(_FILE.read_text()) == build_openapi(), "run `python docs/openapi.py`"


def test_the_document_and_the_application_have_exactly_the_operations_of_the_table() -> None:
    app = create_app(None)  # pyright: ignore[reportArgumentType] - nothing is served
    mounted = {
        (route.operation.id, route.path, route.operation.method)
        for route in app.routes
        if isinstance(route, OperationRoute)
    }
    documented = {
        (operation["operationId"], path, method.upper())
        for path, methods in build_openapi()["paths"].items()
        for method, operation in methods.items()
    }
    table = {(item.id, f"/api/v1{item.path}", item.method) for item in OPERATIONS if item.method != "WEBSOCKET"}
    assert mounted == documented == table


def test_every_reference_leads_somewhere() -> None:
    document = build_openapi()
    text = json.dumps(document)
    for kind in ("schemas", "responses"):
        wanted = {part.partition('"')[0] for part in text.split(f"#/components/{kind}/")[1:]}
        assert wanted <= document["components"][kind].keys()


async def test_anyone_can_read_the_document_where_the_api_is(door: Door) -> None:
    answers = [await door.http.get("/api/v1/openapi.json") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json() == build_openapi()
