"""What the questions of one page have in common: its project and service, looked up once for all of them."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Final, TypeVar

from fastapi import Request

from towline.actions.access import Caller, FoundProject, find_project
from towline.actions.services import read_service
from towline.infra.database import Database
from towline.models.services import Service

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
_KEY: Final = "towline.known"


class Known:
    """Projects with the caller's role, and services, as they were when the first question of a page named them.

    Only what is read is shared: whether the caller may do what is asked is checked for each question.
    """

    def __init__(self, database: Database, caller: Caller) -> None:
        self._database = database
        self.caller = caller
        self._projects: dict[str, asyncio.Task[FoundProject]] = {}
        self._services: dict[tuple[str, str], asyncio.Task[Service]] = {}

    async def project(self, reference: str) -> FoundProject:
        """A project that the caller may see, and the caller's role in it."""
        found = await _once(self._projects, reference, lambda: find_project(self._database, self.caller, reference))
        if found.project is not None:
            self._projects.setdefault(found.project.id, self._projects[reference])
        return found

    async def service(self, project_id: str, reference: str) -> Service:
        """A service by its project's id and its own name or id; NotFound otherwise."""
        key = (project_id, reference)
        found = await _once(self._services, key, lambda: read_service(self._database, project_id, reference))
        self._services.setdefault((project_id, found.id), self._services[key])
        return found


def share(request: Request, known: Known) -> None:
    """Let the questions asked for a request know what is known."""
    request.scope[_KEY] = known


def find_known(request: Request, caller: Caller) -> Known | None:
    """What is known to the questions of the same page and caller."""
    known = request.scope.get(_KEY)
    return known if isinstance(known, Known) and known.caller == caller else None


async def _once(tasks: dict[K, asyncio.Task[T]], key: K, look: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """One look for all that ask at the same time or later; shielded, since one of them may be cut off."""
    if key not in tasks:
        tasks[key] = asyncio.create_task(look())
    return await asyncio.shield(tasks[key])
