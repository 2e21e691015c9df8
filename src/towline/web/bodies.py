"""Reading requests: bounded bodies, and bodies, queries and paths into the contract's models."""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

from fastapi import Request
from pydantic import ValidationError

from towline.contract.base import Model
from towline.contract.operations import Operation
from towline.errors import InvalidInput, NotFound, TooLarge
from towline.web.problems import invalid_request

MAX_BODY_BYTES: Final = 1024 * 1024
BODY_SECONDS: Final = 60.0
_PATH_VALUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}|_[A-Za-z0-9_]{0,127}")


async def read_body(request: Request, operation: Operation) -> bytes:
    """The JSON body of an operation that has one, at most 1 MiB; TooLarge above."""
    if operation.request is None:
        return b""
    kind = request.headers.get("content-type", operation.request_media_type).partition(";")[0].strip().lower()
    body = await read_at_most(request, MAX_BODY_BYTES)
    if body and kind != operation.request_media_type:
        raise InvalidInput(f"The body is sent as {kind[:100]}, not {operation.request_media_type}.", field="body")
    return body


async def read_at_most(request: Request, most: int, *, what: str = "body", seconds: float = BODY_SECONDS) -> bytes:
    """What is sent, TooLarge above so many bytes; InvalidInput when it does not come in time.

    Whoever sends a byte now and then, signed in or not, would else hold a connection for ever.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise TooLarge(f"The {what} is larger than {most} bytes.", hint="Send less in one request.")
    except TimeoutError as error:
        raise InvalidInput(f"The {what} did not come within {seconds:g} s.", field="body") from error
    return bytes(body)


def parse_path(request: Request) -> Mapping[str, str]:
    """The names and ids in the path; NotFound for what cannot be either."""
    values: Mapping[str, str] = request.path_params
    for value in values.values():
        if not _PATH_VALUE.fullmatch(value):
            raise NotFound("There is no such object, or you may not see it.")
    return values


def parse_arguments(request: Request, operation: Operation, body: bytes) -> dict[str, Model]:
    """The query and body of an operation as its models; InvalidRequest naming the fields at fault otherwise."""
    arguments: dict[str, Model] = {}
    query = dict(request.query_params)
    try:
        if operation.query is not None:
            arguments["query"] = operation.query.model_validate_strings(query)
        elif query:
            raise InvalidInput(
                f"There is no parameter {next(iter(query))[:100]!r} here.", field=next(iter(query))[:100]
            )
        if operation.request is not None:
            arguments["body"] = operation.request.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise invalid_request(error) from error
    return arguments
