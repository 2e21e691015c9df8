"""The OpenAPI 3.1 document, made from the contract's table of operations."""

import re
from collections.abc import Iterator
from typing import Any, Final, Literal

from pydantic.json_schema import models_json_schema

from towline import __version__
from towline.contract.base import API_PREFIX, Model
from towline.contract.operations import IDEMPOTENCY_HEADER, IDEMPOTENCY_KEY_PATTERN, Operation
from towline.contract.problems import PROBLEM_MEDIA_TYPE, Problem
from towline.contract.routes.table import OPERATIONS
from towline.contract.uploads import UPLOAD_MEDIA_TYPE, UPLOAD_OFFSET_HEADER

_Mode = Literal["validation", "serialization"]
_Schemas = dict[tuple[type[Model], _Mode], dict[str, Any]]
_REFERENCE: Final = "#/components/schemas/{model}"
_PROBLEMS: Final = {
    "401": "No valid credential came with the call.",
    "403": "The caller may see the object but not do this to it.",
    "404": "There is no such object, or the caller may not see it.",
    "409": "The wanted change contradicts what is there.",
    "413": "The body is too large.",
    "422": "The request cannot be accepted; `errors` names the fields.",
    "429": "It was tried too often; `Retry-After` says when to try again.",
    "503": "A part Towline needs does not answer; try again.",
}

_SECURITY: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "An API key, `twl_…`, or a session, `tws_…`."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "towline_session",
        "description": "A session kept by a browser (`__Host-towline_session` over HTTPS). What changes something must "
        "come from a page of Towline's own, by `Sec-Fetch-Site` or `Origin`.",
    },
}


def build_openapi() -> dict[str, Any]:
    """The whole document; the same code always gives the same document."""
    operations = [operation for operation in OPERATIONS if operation.method != "WEBSOCKET"]
    schemas, definitions = _collect_schemas(operations)
    paths: dict[str, Any] = {}
    for operation in operations:
        path = paths.setdefault(API_PREFIX + operation.path, {})
        path[operation.method.lower()] = _operation(operation, schemas, definitions)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Towline",
            "version": __version__,
            "description": "Self-hosted deployment platform. Lists are paginated by cursor; writes accept an "
            f"`{IDEMPOTENCY_HEADER}`; errors are `{PROBLEM_MEDIA_TYPE}`; unknown fields are refused. Events come over "
            f"the WebSocket `{API_PREFIX}/ws`.",
        },
        "security": [{"token": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(definitions.items())),
            "securitySchemes": _SECURITY,
            "responses": {f"Problem{status}": _problem(text) for status, text in _PROBLEMS.items()},
        },
    }


def _collect_schemas(operations: list[Operation]) -> tuple[_Schemas, dict[str, Any]]:
    wanted: dict[tuple[type[Model], _Mode], None] = {(Problem, "serialization"): None}
    for operation in operations:
        for model in (operation.request, operation.query):
            if model is not None:
                wanted[model, "validation"] = None
        if operation.response is not None:
            wanted[operation.response, "serialization"] = None
    schemas, document = models_json_schema(list(wanted), ref_template=_REFERENCE)
    return dict(schemas), document.get("$defs", {})  # pyright: ignore[reportReturnType] - the keys are those given


def _operation(operation: Operation, schemas: _Schemas, definitions: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.id.partition(".")[0]],
        "x-permission": operation.permission,
        "parameters": list(_parameters(operation, schemas, definitions)),
        "responses": _responses(operation, schemas),
    }
    if operation.permission == "anyone":
        described["security"] = []
    body = _request_body(operation, schemas)
    return {**described, "requestBody": body} if body else described


def _parameters(operation: Operation, schemas: _Schemas, definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if operation.query is not None:
        schema = definitions[schemas[operation.query, "validation"]["$ref"].rpartition("/")[2]]
        for name, value in schema["properties"].items():
            is_required = name in schema.get("required", ())
            yield {"name": name, "in": "query", "required": is_required, **_described(value)}
    if operation.request_media_type == UPLOAD_MEDIA_TYPE:
        offset = {"type": "integer", "minimum": 0}
        yield {"name": UPLOAD_OFFSET_HEADER, "in": "header", "required": True, "schema": offset}
    elif operation.is_write:
        pattern = {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN}
        description = "The same key with the same request gives the same answer for a day, and does nothing twice."
        yield {"name": IDEMPOTENCY_HEADER, "in": "header", "description": description, "schema": pattern}


def _described(value: dict[str, Any]) -> dict[str, Any]:
    schema = {name: part for name, part in value.items() if name != "description"}
    return {"description": value.get("description", ""), "schema": schema}


def _request_body(operation: Operation, schemas: _Schemas) -> dict[str, Any] | None:
    if operation.request_media_type == UPLOAD_MEDIA_TYPE:
        return {"required": True, "content": {UPLOAD_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
    if operation.request is None:
        return None
    is_required = any(field.is_required() for field in operation.request.model_fields.values())
    schema = schemas[operation.request, "validation"]
    return {"required": is_required, "content": {operation.request_media_type: {"schema": schema}}}


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.response is not None:
        content[operation.media_type] = {"schema": schemas[operation.response, "serialization"]}
    elif operation.status != 204:
        content[operation.media_type] = {"schema": {"type": "string", "format": "binary"}}
    if operation.stream_media_type is not None:
        content[operation.stream_media_type] = {"schema": {"type": "string"}}
    answered: dict[str, Any] = {"description": operation.summary}
    if content:
        answered["content"] = content
    problems = {status: {"$ref": f"#/components/responses/Problem{status}"} for status in _PROBLEMS}
    return {str(operation.status): answered, **problems}


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": _REFERENCE.format(model=Problem.__name__)}
    return {"description": description, "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}}}
