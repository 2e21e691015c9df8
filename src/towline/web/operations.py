"""Mounting: the only way to add an operation, so that path, status and permission come from the contract's table."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request, WebSocket
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from towline.contract.base import API_PREFIX
from towline.contract.operations import Operation
from towline.contract.routes.table import OPERATIONS
from towline.web.answering import Endpoint, Mounted, answer

E = TypeVar("E", bound=Endpoint)
Socket = Callable[[WebSocket], Awaitable[None]]
_BY_ID: Final = {operation.id: operation for operation in OPERATIONS}


class OperationRoute(Route):
    """The route of one operation."""

    def __init__(self, mounted: Mounted) -> None:
        async def serve(request: Request) -> Response:
            return await answer(mounted, request)

        self.operation = mounted.operation
        super().__init__(
            API_PREFIX + self.operation.path, serve, methods=[self.operation.method], name=self.operation.id
        )


class OperationRouter(APIRouter):
    """A router whose operations come from the contract's table.

    An endpoint is `async def name(call: Call, query: Q, body: B)`, where `query` and `body` are there exactly when the
    operation has them. It returns the response model, a finished Response, or None for an answer without a body.
    """

    def operation(self, operation_id: str, *, holds_transaction: bool = True) -> Callable[[E], E]:
        """Mount an operation.

        One that holds no transaction (it reads, sends or hashes for long, or reads by itself) gets no `call.work`: it
        is admitted in a transaction of its own, then opens what it needs, and records in the audit log what it changes.
        """
        operation = _BY_ID[operation_id]

        def mount(endpoint: E) -> E:
            _check_signature(operation, endpoint)
            self.routes.append(OperationRoute(Mounted(operation, endpoint, holds_transaction=holds_transaction)))
            return endpoint

        return mount

    def socket(self, operation_id: str) -> Callable[[Socket], Socket]:
        """Mount a WebSocket operation; its endpoint authenticates the connection itself."""
        operation = _BY_ID[operation_id]

        def mount(endpoint: Socket) -> Socket:
            self.routes.append(WebSocketRoute(API_PREFIX + operation.path, endpoint, name=operation.id))
            return endpoint

        return mount


def _check_signature(operation: Operation, endpoint: Callable[..., Any]) -> None:
    """What an endpoint takes must be what the table says; checked at import, so a wrong route cannot start."""
    wanted = {"call": None, "query": operation.query, "body": operation.request}
    taken = inspect.signature(endpoint, eval_str=True).parameters
    for name, model in wanted.items():
        is_wanted = name == "call" or model is not None
        if is_wanted != (name in taken) or (model is not None and taken[name].annotation is not model):
            raise TypeError(f"{operation.id}: the endpoint's `{name}` must be {model}")
