"""Calls about services that are deployed together, and about which needs which."""

import time
from collections.abc import Callable
from typing import Final

from towline.client.connection import Call, Connection
from towline.contract.base import DEFAULT_ENVIRONMENT
from towline.contract.dependencies import Dependency, DependencyGraph, DependencySet
from towline.contract.groups import Group, GroupDeploy, GroupList, GroupQuery, GroupRollback
from towline.errors import TimedOut, Unavailable

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5
_LONGEST_ABSENCE: Final = 60.0

OnGroupChange = Callable[[Group], None]


class Groups:
    """Groups; `project` is an id or a name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def deploy(self, project: str, request: GroupDeploy | None = None, *, idempotency_key: str | None = None) -> Group:
        """Ask for a deployment of services together; without a request of the whole project to production."""
        body = request or GroupDeploy()
        call = Call("projects.deploy", {"project": project}, body=body, idempotency_key=idempotency_key)
        return self._connection.send(call, Group)

    def list(self, project: str, query: GroupQuery | None = None) -> GroupList:
        """One page of a project's groups, newest first."""
        return self._connection.send(Call("groups.list", {"project": project}, query=query), GroupList)

    def get_status(self, project: str, group: str) -> Group:
        """A group with its deployments, or NotFound."""
        return self._connection.send(Call("groups.getStatus", {"project": project, "group": group}), Group)

    def cancel(self, project: str, group: str) -> Group:
        """Ask for the group to end with the old releases."""
        return self._connection.send(Call("groups.cancel", {"project": project, "group": group}), Group)

    def rollback(self, project: str, *, group: str | None = None, environment: str = DEFAULT_ENVIRONMENT) -> Group:
        """Roll back to the releases of an earlier group, or undo the newest one."""
        body = GroupRollback(environment=environment, group=group)
        return self._connection.send(Call("groups.rollback", {"project": project}, body=body), Group)

    def wait(
        self, project: str, group: str, *, on_change: OnGroupChange | None = None, timeout: float | None = None
    ) -> Group:
        """The group once it is final; `on_change` gets it whenever it or one of its deployments changed.

        TimedOut after `timeout` seconds (None: no limit).
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        seen: Group | None = None
        pause = _FIRST_PAUSE
        while True:
            found = self._look(project, group)
            if on_change and found != seen:
                on_change(found)
            seen = found
            if found.status.is_final:
                return found
            if deadline is not None and time.monotonic() > deadline:
                raise TimedOut(f"Group {group} is still {found.status} after {timeout:g} s.")
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _look(self, project: str, group: str) -> Group:
        """The group, even when the server is away for a while: it restarts, too."""
        deadline = time.monotonic() + _LONGEST_ABSENCE
        while True:
            try:
                return self.get_status(project, group)
            except (Unavailable, TimedOut):
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LONGEST_PAUSE)


class Dependencies:
    """Which service of a project needs which; names or ids."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str) -> DependencyGraph:
        """All dependencies, and the order in which services start."""
        return self._connection.send(Call("dependencies.list", {"project": project}), DependencyGraph)

    def set(self, project: str, service: str, depends_on: str, *, cascade: bool = False) -> Dependency:
        """Let a service need another; DependencyCycle naming the path where that closes a circle."""
        body = DependencySet(cascade=cascade)
        return self._connection.send(
            Call("dependencies.set", _edge(project, service, depends_on), body=body), Dependency
        )

    def delete(self, project: str, service: str, depends_on: str) -> None:
        """Let a service no longer need another."""
        self._connection.run(Call("dependencies.delete", _edge(project, service, depends_on)))


def _edge(project: str, service: str, depends_on: str) -> dict[str, str | int]:
    return {"project": project, "service": service, "dependency": depends_on}
