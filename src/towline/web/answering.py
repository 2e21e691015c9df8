"""From request to answer: who calls, is it allowed, is it a repetition; then one transaction, committed before."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from towline.actions.audit import record
from towline.actions.audit_changes import Changes, collect_changes
from towline.contract.base import Model
from towline.contract.operations import JSON_MEDIA_TYPE, Operation
from towline.errors import TowlineError
from towline.infra.database import Work
from towline.web.access import admit, admit_alone, check_admitted
from towline.web.addresses import client_address
from towline.web.auth import authenticate_for
from towline.web.bodies import parse_arguments, parse_path, read_body
from towline.web.deps import Call, get_platform
from towline.web.idempotency import find_claim, find_replay, keep
from towline.web.problems import InvalidRequest, problem_of_database, problem_response, unexpected_response
from towline.web.refusals import note_not_let_in, note_refused

Endpoint = Callable[..., Awaitable[Model | Response | None]]
_SET_LOCK_WAIT = text("SELECT set_config('lock_timeout', '10s', true)")


@dataclass(frozen=True, slots=True)
class Mounted:
    """An operation and the endpoint that does it."""

    operation: Operation
    endpoint: Endpoint
    holds_transaction: bool = True


async def answer(mounted: Mounted, request: Request) -> Response:
    """The answer to a request to an operation; every error becomes a problem here."""
    try:
        credential = await authenticate_for(mounted.operation, request)
        call = Call(get_platform(request), mounted.operation, request, credential)
    except TowlineError as error:
        await _note_unknown(mounted.operation, request, error)
        return problem_response(error)
    except Exception as error:
        return unexpected_response(request, error)
    return await _answer_caller(mounted, call)


async def _answer_caller(mounted: Mounted, call: Call) -> Response:
    try:
        call.path = parse_path(call.request)
        return await (_work if mounted.holds_transaction else _answer_alone)(mounted, call)
    except TowlineError as error:
        await note_refused(call, call.request.app.state.refusal_limit, error)
        return problem_response(error)
    except InvalidRequest as refused:
        return problem_response(refused.error, faults=refused.faults)
    except ClientDisconnect:
        return Response(status_code=400)
    except DBAPIError as error:
        problem = problem_of_database(error)
        return problem_response(problem) if problem else unexpected_response(call.request, error)
    except Exception as error:
        return unexpected_response(call.request, error)


async def _work(mounted: Mounted, call: Call) -> Response:
    body = await read_body(call.request, mounted.operation)
    claim = find_claim(call, body)
    database = call.platform.database
    async with database.transaction() if mounted.operation.is_write else database.reading() as work:
        call.open_work = work
        await _bound_waits(work, mounted.operation)
        changes = collect_changes(work.session) if mounted.operation.is_write else None
        replay = None if claim is None else await find_replay(call, claim)
        if replay is not None:
            return replay
        await admit(call)
        arguments = parse_arguments(call.request, mounted.operation, body)
        response = as_response(mounted.operation, await mounted.endpoint(call, **arguments))
        check_admitted(call)
        if changes is not None:
            await _record_change(call, work, changes)
        if claim is not None:
            await keep(call, claim, response)
    return response


async def _answer_alone(mounted: Mounted, call: Call) -> Response:
    """Operations that hold no transaction: the guard has one of its own."""
    await admit_alone(call)
    arguments = parse_arguments(call.request, mounted.operation, await read_body(call.request, mounted.operation))
    return as_response(mounted.operation, await mounted.endpoint(call, **arguments))


def as_response(operation: Operation, given: Model | Response | None) -> Response:
    """What an endpoint gave, as an answer with the operation's status."""
    if isinstance(given, Response):
        return given
    if given is None:
        return Response(status_code=operation.status)
    return Response(given.model_dump_json(), operation.status, media_type=JSON_MEDIA_TYPE)


def json_response(content: Any, *, status: int = 200) -> Response:
    """JSON straight from rows, for lists that must be fast; a test holds it against the contract's model."""
    return Response(orjson.dumps(content, option=orjson.OPT_UTC_Z), status, media_type=JSON_MEDIA_TYPE)


async def _bound_waits(work: Work, operation: Operation) -> None:
    """A write waits for another's lock for a bounded time only."""
    if operation.is_write:
        await work.session.execute(_SET_LOCK_WAIT)


async def _record_change(call: Call, work: Work, changes: Changes) -> None:
    await work.session.flush()
    project_id = call.found_project.id if call.found_project is not None else ""
    object_id = call.object_id or _object_of(call) or project_id
    before, after = changes.told(object_id)
    record(
        work,
        call.caller,
        call.operation.id,
        project_id=project_id,
        object_id=object_id,
        detail=call.detail,
        before=before,
        after=after,
    )


def _object_of(call: Call) -> str:
    if call.found_deployment is not None:
        return call.found_deployment.id
    return call.found_service.id if call.found_service is not None else ""


async def _note_unknown(operation: Operation, request: Request, error: TowlineError) -> None:
    limit, address = request.app.state.refusal_limit, client_address(request)
    await note_not_let_in(get_platform(request), limit, operation.id, address=address, error=error)
