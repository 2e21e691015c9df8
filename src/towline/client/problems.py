"""Answers that are errors, turned back into the TowlineError family."""

from collections.abc import Iterator
from functools import cache

import httpx2
from pydantic import ValidationError

from towline.contract.problems import PROBLEM_MEDIA_TYPE, Problem
from towline.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    TooLarge,
    TooManyTries,
    TowlineError,
    Unauthenticated,
    Unavailable,
    code_of,
)

_BY_STATUS: dict[int, type[TowlineError]] = {
    400: InvalidInput,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: InvalidInput,
    429: TooManyTries,
    503: Unavailable,
}


def error_from_response(response: httpx2.Response) -> TowlineError:
    """The error a response tells of; the body must have been read."""
    if response.headers.get("content-type", "").partition(";")[0] != PROBLEM_MEDIA_TYPE:
        return _foreign_answer(response)
    try:
        problem = Problem.model_validate_json(response.content, extra="ignore")
    except ValidationError:
        return _foreign_answer(response)
    return error_from_problem(problem)


def error_from_problem(problem: Problem) -> TowlineError:
    """The error of the problem's code, or of its status when this client does not know the code."""
    kind = _by_code().get(problem.code) or _BY_STATUS.get(problem.status, TowlineError)
    message = problem.detail
    faults = [f"{fault.field}: {fault.message}" for fault in problem.errors if fault.message not in message]
    if faults:
        message = f"{message.rstrip('.')}: {'; '.join(faults)}."
    field = problem.field or (problem.errors[0].field if problem.errors else None)
    return kind(message, hint=problem.hint or None, field=field)


def error_class(code: str) -> type[TowlineError]:
    """The class of an error code, TowlineError when this client does not know it."""
    return _by_code().get(code, TowlineError)


def all_error_classes() -> list[type[TowlineError]]:
    """Every class of the family in the order of their definition, the base first."""
    return [TowlineError, *_subclasses(TowlineError)]


@cache
def _by_code() -> dict[str, type[TowlineError]]:
    return {code_of(kind): kind for kind in all_error_classes()}


def _subclasses(kind: type[TowlineError]) -> Iterator[type[TowlineError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def _foreign_answer(response: httpx2.Response) -> TowlineError:
    url = response.request.url.copy_with(query=None)
    return Unavailable(
        f"{url} answered {response.status_code}, but not as Towline's API.",
        hint="Check the address (`towline config`) and that Towline runs (`towline doctor`).",
    )
