"""Errors as the API shows them: RFC 9457 problem details, made from the TowlineError family alone."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException, RequestValidationError
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException as RouterException
from starlette.responses import Response
from starlette.routing import Route

from towline.contract.faults import fault_text
from towline.contract.problems import PROBLEM_MEDIA_TYPE
from towline.errors import Conflict, InvalidInput, NotAllowed, NotFound, TooManyTries, TowlineError

_log = logging.getLogger(__name__)
_MOST_FIELDS: Final = 20
_LONGEST_FIELD: Final = 200
_UNIQUE: Final = "23505"
_BUSY: Final = {"55P03", "40P01", "40001"}
_BAD_VALUE: Final = "22"


class InvalidRequest(Exception):
    """A request whose query or body does not fit the contract; `faults` holds every field at fault."""

    def __init__(self, faults: Sequence[Mapping[str, str]]) -> None:
        first = faults[0]
        message = f"{first['field'] or 'The request'}: {first['message']}."
        super().__init__(message)
        self.error = InvalidInput(message, field=first["field"] or None)
        self.faults = list(faults)


def invalid_request(error: ValidationError) -> InvalidRequest:
    """The error of a model that refused its input, without the input itself."""
    return _from_pydantic(error.errors(include_url=False, include_input=False, include_context=False))


def problem_of_database(error: DBAPIError) -> TowlineError | None:
    """The error of a request that the database refused for what is in it or beside it; None when the fault is ours."""
    state = str(getattr(error.orig, "sqlstate", "") or "")
    if state == _UNIQUE:
        return Conflict("Something by that name was made at the same time.")
    if state in _BUSY:
        return Conflict("Another request is changing the same object.", hint="Send the request again.")
    if state.startswith(_BAD_VALUE):
        return InvalidInput("A value cannot be stored: it is too large or no valid text.")
    return None


def problem_response(
    error: TowlineError, *, faults: Sequence[Mapping[str, str]] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """The answer that tells of an error; `faults` are the fields at fault, each with `field` and `message`."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": re.sub(r"(?<!^)([A-Z])", lambda found: f" {found[1].lower()}", type(error).__name__),
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
        "field": error.field,
        "errors": list(faults),
    }
    return Response(
        _to_json(body),
        status_code=error.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers={**_headers_of(error), **(headers or {})},
    )


def unexpected_response(request: Request, error: Exception) -> Response:
    """The answer to a fault of our own: logged in full, shown without detail."""
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(
        TowlineError("Towline failed to answer.", hint="Look at the log of the API, then try again.")
    )


def add_problem_answers(app: FastAPI) -> None:
    """Give every error that leaves a route of the app the shape of a problem."""
    app.add_exception_handler(TowlineError, _answer_expected)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(RouterException, _answer_router)
    app.add_exception_handler(HTTPException, _answer_router)
    app.add_exception_handler(Exception, _answer_unexpected)


async def _answer_expected(_: Request, error: Exception) -> Response:
    assert isinstance(error, TowlineError)
    return problem_response(error)


async def _answer_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    refused = _from_pydantic(error.errors())
    return problem_response(refused.error, faults=refused.faults)


async def _answer_router(request: Request, error: Exception) -> Response:
    assert isinstance(error, RouterException)
    path = request.url.path[:_LONGEST_FIELD]
    if error.status_code == 405:
        headers = {"Allow": ", ".join(_allowed_methods(request))}
        return problem_response(NotAllowed(f"{request.method} is not possible at {path}."), headers=headers)
    if error.status_code == 404:
        hint = "Look the address up in the API reference."
        return problem_response(NotFound(f"There is nothing at {path}.", hint=hint))
    if error.status_code < 500:
        return problem_response(InvalidInput(f"The request cannot be read: {error.detail}."))
    return unexpected_response(request, error)


async def _answer_unexpected(request: Request, error: Exception) -> Response:
    return unexpected_response(request, error)


def _allowed_methods(request: Request) -> list[str]:
    """Of every route at this address: the router itself tells only of the first."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    path = request.url.path
    return sorted({method for route in routes if route.path_regex.match(path) for method in route.methods or ()})


def _from_pydantic(errors: Sequence[Any]) -> InvalidRequest:
    return InvalidRequest(
        [{"field": _field_of(item["loc"]), "message": fault_text(item)} for item in errors[:_MOST_FIELDS]]
        or [{"field": "", "message": "cannot be read"}]
    )


def _field_of(location: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in location)[:_LONGEST_FIELD]


def _headers_of(error: TowlineError) -> dict[str, str]:
    if error.status == 401:
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, TooManyTries):
        return {"Retry-After": str(error.seconds)}
    return {"Retry-After": "1"} if error.status == 503 else {}


def _to_json(body: Mapping[str, Any]) -> bytes:
    """Messages may quote what a caller sent; what is not valid Unicode is replaced."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        return orjson.dumps({name: _printable(value) for name, value in body.items()})


def _printable(value: object) -> object:
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
