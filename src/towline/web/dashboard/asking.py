"""Pages ask the API's own operations within this process: one door, one permission check, one audit log for both."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from fastapi import Request
from starlette.types import Message

from towline.actions.access import Caller, Permission, may
from towline.actions.credentials import Credential
from towline.contract.base import API_PREFIX
from towline.errors import TowlineError
from towline.web.operations import OperationRoute

Json = dict[str, Any]
Query = Mapping[str, str | int | None]
_OWN_HEADERS: Final = {b"content-type", b"content-length", b"idempotency-key", b"accept", b"range"}
_MOST_AT_ONCE: Final = 3


class Refused(TowlineError):
    """What an operation refused, as its problem says it."""

    def __init__(self, problem: Json) -> None:
        super().__init__(str(problem["detail"]), hint=str(problem["hint"]), field=problem.get("field"))
        self.problem = problem
        self.status = int(problem["status"])  # pyright: ignore[reportAttributeAccessIssue] - of this one refusal

    @property
    def code(self) -> str:
        """The code that the operation gave."""
        return str(self.problem["code"])


@dataclass(frozen=True, slots=True)
class Ask:
    """One operation to ask, with what fills its path, query and body."""

    operation: str
    path: Mapping[str, str]
    query: Query
    body: Json | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody signed in, for a page."""

    request: Request
    credential: Credential

    @property
    def caller(self) -> Caller:
        """Who it is."""
        return self.credential.caller

    @property
    def path(self) -> Mapping[str, str]:
        """What the page's address names."""
        return self.request.path_params

    def may(self, permission: Permission, role: str | None = None) -> bool:
        """Whether a control is shown: the visitor's permission with a role in a project, or of the instance."""
        return may(self.caller, permission, role=role)

    async def ask(self, operation: str, *, query: Query | None = None, body: Json | None = None, **path: str) -> Json:
        """The answer of an operation; Refused when it refuses."""
        return await self.send(Ask(operation, path, query or {}, body))

    async def ask_here(
        self, operation: str, *, query: Query | None = None, body: Json | None = None, **path: str
    ) -> Json:
        """The answer of an operation on what the page's address names."""
        return await self.send(Ask(operation, {**self.path, **path}, query or {}, body))

    async def ask_all(self, *asks: Ask) -> list[Json]:
        """Answers of several operations that only read, a few at a time."""
        places = asyncio.Semaphore(_MOST_AT_ONCE)

        async def one(ask: Ask) -> Json:
            async with places:
                return await self.send(ask)

        return list(await asyncio.gather(*(one(ask) for ask in asks)))

    async def send(self, ask: Ask) -> Json:
        """The answer of one operation; Refused when it refuses."""
        route = _routes(self.request)[ask.operation]
        response = await route.endpoint(_inner_request(self.request, route, ask))
        content: Json = orjson.loads(response.body) if response.body else {}
        if response.status_code >= 400:
            raise Refused(content)
        return content


def wanting(operation: str, *, query: Query | None = None, **path: str) -> Ask:
    """An operation to ask together with others."""
    return Ask(operation, path, query or {})


def _routes(request: Request) -> Mapping[str, OperationRoute]:
    state = request.app.state
    if not hasattr(state, "operation_routes"):
        found = [route for route in request.app.routes if isinstance(route, OperationRoute)]
        state.operation_routes = {route.operation.id: route for route in found}
    routes: Mapping[str, OperationRoute] = state.operation_routes
    return routes


def _inner_request(outer: Request, route: OperationRoute, ask: Ask) -> Request:
    """The call of the API that the page's own script would send: same cookie, same origin, same address."""
    body = b"" if ask.body is None else orjson.dumps(ask.body)
    query = {name: str(value) for name, value in ask.query.items() if value is not None}
    headers = [(name, value) for name, value in outer.scope["headers"] if name not in _OWN_HEADERS]
    operation = route.operation
    scope = {
        **outer.scope,
        "method": operation.method,
        "path": API_PREFIX + operation.path.format(**ask.path),
        "path_params": dict(ask.path),
        "query_string": urlencode(query).encode(),
        "headers": [*headers, (b"content-type", b"application/json")],
    }
    return Request(scope, _receiving(body).__anext__)


async def _receiving(body: bytes) -> AsyncGenerator[Message]:
    yield {"type": "http.request", "body": body, "more_body": False}
    yield {"type": "http.disconnect"}
