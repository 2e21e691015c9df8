"""Calls about projects and their environments."""

from collections.abc import Iterator

from towline.client.connection import Call, Connection
from towline.contract.base import PageQuery
from towline.contract.deployments import Deployment
from towline.contract.environments import Environment, EnvironmentCreate, EnvironmentList, EnvironmentUpdate, ShareLinks
from towline.contract.projects import (
    Project,
    ProjectCreate,
    ProjectList,
    ProjectSummary,
    ProjectSummaryList,
    ProjectUpdate,
)


class Projects:
    """Projects; `project` is always an id or a name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, query: PageQuery | None = None) -> ProjectList:
        """One page of the projects the caller can see."""
        return self._connection.send(Call("projects.list", query=query), ProjectList)

    def list_summaries(self, query: PageQuery | None = None) -> ProjectSummaryList:
        """One page of the projects the caller can see, with health, addresses and last deployment."""
        return self._connection.send(Call("projects.listSummaries", query=query), ProjectSummaryList)

    def iterate_summaries(self) -> Iterator[ProjectSummary]:
        """All projects the caller can see, at a glance."""
        call = Call("projects.listSummaries", query=PageQuery(limit=200))
        return self._connection.iterate(call, ProjectSummaryList)

    def iterate(self) -> Iterator[Project]:
        """All projects the caller can see."""
        return self._connection.iterate(Call("projects.list", query=PageQuery(limit=200)), ProjectList)

    def create(self, project: ProjectCreate, *, idempotency_key: str | None = None) -> Project:
        """Create a project; Conflict when the name is taken."""
        return self._connection.send(Call("projects.create", body=project, idempotency_key=idempotency_key), Project)

    def create_example(self) -> Deployment:
        """Create the example project and deploy it; the deployment under way or live when there is one already."""
        return self._connection.send(Call("projects.createExample"), Deployment)

    def get(self, project: str) -> Project:
        """A project, or NotFound."""
        return self._connection.send(Call("projects.get", {"project": project}), Project)

    def update(self, project: str, change: ProjectUpdate) -> Project:
        """Change a project."""
        return self._connection.send(Call("projects.update", {"project": project}, body=change), Project)

    def delete(self, project: str) -> None:
        """Delete a project and all that runs in it."""
        self._connection.run(Call("projects.delete", {"project": project}))


class Environments:
    """Environments of a project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str, query: PageQuery | None = None) -> EnvironmentList:
        """One page of a project's environments."""
        return self._connection.send(Call("environments.list", {"project": project}, query=query), EnvironmentList)

    def create(self, project: str, environment: EnvironmentCreate) -> Environment:
        """Create an environment."""
        return self._connection.send(Call("environments.create", {"project": project}, body=environment), Environment)

    def update(self, project: str, environment: str, change: EnvironmentUpdate) -> Environment:
        """Say when an environment falls asleep, and who may visit it."""
        return self._connection.send(Call("environments.update", _path(project, environment), body=change), Environment)

    def wake(self, project: str, environment: str) -> Environment:
        """Wake an environment that sleeps."""
        return self._connection.send(Call("environments.wake", _path(project, environment)), Environment)

    def create_share_link(self, project: str, environment: str) -> ShareLinks:
        """New share links, in place of earlier ones; Conflict unless it is protected by a link."""
        return self._connection.send(Call("environments.createShareLink", _path(project, environment)), ShareLinks)

    def delete_share_link(self, project: str, environment: str) -> None:
        """Make the share links worthless."""
        self._connection.run(Call("environments.deleteShareLink", _path(project, environment)))

    def delete(self, project: str, environment: str) -> None:
        """Delete an environment and all that runs in it."""
        self._connection.run(Call("environments.delete", _path(project, environment)))


def _path(project: str, environment: str) -> dict[str, str]:
    return {"project": project, "environment": environment}
