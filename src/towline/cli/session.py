"""What every command that talks to a server starts with: a client, an output, and what the command is about."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from towline.cli.credentials import Credentials, get_credentials
from towline.cli.link import Link, find_link
from towline.cli.output import Output
from towline.client import TowlineClient
from towline.contract.base import DEFAULT_ENVIRONMENT
from towline.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Target:
    """A service in an environment."""

    project: str
    service: str
    environment: str

    def __str__(self) -> str:
        return f"{self.project}/{self.service}"


@dataclass(frozen=True, slots=True)
class Session:
    """One command's client and output."""

    client: TowlineClient
    output: Output
    credentials: Credentials
    link: Link | None

    def project(self, given: str | None) -> str:
        """The project that was named or is linked."""
        name = given or (self.link.project if self.link else None)
        if name is None:
            raise InvalidInput(
                "No project was named and this folder is not linked to one.",
                hint="Pass --project NAME, or deploy from this folder first.",
                field="project",
            )
        return name

    def environment(self, given: str | None) -> str:
        """The environment that was named or is linked."""
        return given or (self.link.environment if self.link else DEFAULT_ENVIRONMENT)

    def target(
        self,
        given: str | None = None,
        *,
        project: str | None = None,
        service: str | None = None,
        environment: str | None = None,
    ) -> Target:
        """The service that was named as `[project/]service`, by options, by the link, or is its project's only one."""
        if given:
            before, _, last = given.rpartition("/")
            project, service = before or project, last
        chosen = self.project(project)
        if service is None and self.link and chosen == self.link.project:
            service = self.link.service
        return Target(chosen, service or self._only_service(chosen), self.environment(environment))

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask a person before something that cannot be undone; programs must pass --yes."""
        if yes:
            return
        if not sys.stdin.isatty():
            raise InvalidInput(f"{question} This needs an answer.", hint="Pass --yes.")
        typer.confirm(question, abort=True, err=True)

    def _only_service(self, project: str) -> str:
        names = [service.name for service in self.client.services.list_by_project(project).items]
        if len(names) == 1:
            return names[0]
        shown = f"it has {', '.join(names)}" if names else "it has none"
        raise InvalidInput(
            f"No service of project {project!r} was named; {shown}.", hint="Pass --service NAME.", field="service"
        )


@contextmanager
def open_session(*, as_json: bool, folder: Path | None = None) -> Generator[Session]:
    """A session for one command, closed after it."""
    link = find_link((folder or Path.cwd()).absolute())
    credentials = get_credentials(os.environ, linked_url=link.url if link else None)
    with TowlineClient(credentials.url, credentials.api_key) as client:
        yield Session(client, Output(is_json=as_json), credentials, link)
