"""`towline plan`, `apply` and `export`: a project as one file."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from towline.cli.group import follow_group
from towline.cli.ignores import list_files
from towline.cli.options import AsJson, Detach, EnvironmentOption, ProjectOption, Yes
from towline.cli.output import Output, size_text
from towline.cli.packing import packed
from towline.cli.plan import is_change, say_plan
from towline.cli.session import Session, open_session
from towline.cli.spinner import Spinner
from towline.contract.compose_file import NAMES as COMPOSE_NAMES
from towline.contract.compose_file import read_compose
from towline.contract.project_file import FILE_NAME, ApplyRequest, PlanRequest, ProjectFile
from towline.contract.project_file_text import parse_project_file
from towline.contract.projects import ProjectCreate
from towline.errors import InvalidInput, NotFound
from towline.names import to_slug

_File = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="The file; else towline.yaml or compose.yaml of this folder.")
]
_Deletes = Annotated[bool, typer.Option("--delete", help="Delete what is not in the file.")]
_NoDeploy = Annotated[bool, typer.Option("--no-deploy", help="Change settings only; deploy nothing.")]


@dataclass(frozen=True, slots=True)
class _Read:
    file: ProjectFile
    folder: Path
    notes: Sequence[str] = ()

    @property
    def needs_upload(self) -> bool:
        """Whether a service is built from the file's folder."""
        sources = [(one.image, one.git, one.dockerfile_text, one.source) for one in self.file.services.values()]
        return any(not any(source) for source in sources)


def plan(
    file: _File = None,
    *,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    delete: _Deletes = False,
    as_json: AsJson = False,
) -> None:
    """Show what applying the project file would change, and change nothing."""
    with open_session(as_json=as_json) as session:
        read = _read(file, project=project)
        request = PlanRequest(file=read.file, environment=session.environment(environment), deletes=delete)
        made = session.client.project_files.plan(request)
        if session.output.is_json:
            return session.output.model(made, {})
        _say_notes(session.output, read)
        return say_plan(session.output, made, project=read.file.project)


def apply(
    file: _File = None,
    *,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    delete: _Deletes = False,
    no_deploy: _NoDeploy = False,
    detach: Detach = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make the project what the file says, after showing the plan, and deploy what needs it, all or nothing."""
    with open_session(as_json=as_json) as session:
        read = _read(file, project=project)
        _say_notes(session.output, read)
        request = PlanRequest(file=read.file, environment=session.environment(environment), deletes=delete)
        if read.needs_upload and not no_deploy:
            request = request.model_copy(update={"upload": _upload(session, read, yes=yes)})
        carry_out(session, request, deploys=not no_deploy, detach=detach, yes=yes)


def carry_out(session: Session, request: PlanRequest, *, deploys: bool, detach: bool, yes: bool) -> None:
    """Show the plan of a file, ask, apply exactly that, and follow what it deploys."""
    made = session.client.project_files.plan(request)
    say_plan(session.output, made, project=request.file.project)
    if not (is_change(made) or (made.deploys and deploys)):
        return
    session.confirm("Apply this?", yes=yes)
    wanted = ApplyRequest(
        **{name: getattr(request, name) for name in PlanRequest.model_fields},
        fingerprint=made.fingerprint,
        deploys=deploys,
    )
    applied = session.client.project_files.apply(wanted)
    if applied.group is not None:
        follow_group(session, session.client.groups.get_status(request.file.project, applied.group), detach=detach)


def export(*, project: ProjectOption = None, as_json: AsJson = False) -> None:
    """Print the project file of what exists; secrets are in it by name only."""
    with open_session(as_json=as_json) as session:
        exported = session.client.project_files.export(session.project(project))
        if as_json:
            session.output.model(exported, {})
            return
        sys.stdout.write(exported.text)


def _read(given: Path | None, *, project: str | None) -> _Read:
    path = given or _find()
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.", field="file") from error
    folder = path.resolve().parent
    if path.name in COMPOSE_NAMES:
        read = read_compose(text, project=project or to_slug(folder.name), where=path.name)
        return _Read(read.file, folder, read.notes)
    file = parse_project_file(text, where=path.name)
    if project is not None:
        file = file.model_copy(update={"project": project})
    return _Read(file, folder)


def _find() -> Path:
    for name in (FILE_NAME, *COMPOSE_NAMES):
        if Path(name).is_file():
            return Path(name)
    raise InvalidInput(
        f"This folder has neither {FILE_NAME} nor compose.yaml.",
        hint="Name the file, or write one with `towline export --project NAME`.",
        field="file",
    )


def _upload(session: Session, read: _Read, *, yes: bool) -> str:
    """Send the file's folder; the project it belongs to is made first where there is none."""
    name = read.file.project
    try:
        session.client.projects.get(name)
    except NotFound:
        session.confirm(f"There is no project {name}. Create it?", yes=yes)
        session.client.projects.create(ProjectCreate(name=name))
    with Spinner(is_shown=not session.output.is_json) as spinner:
        spinner.say(f"packing {read.folder}")
        names = list_files(read.folder, dockerfile="Dockerfile", uses_dockerignore=True)
        with packed(read.folder, names) as pack:
            spinner.say(f"uploading {size_text(pack.path.stat().st_size)}")
            return session.client.uploads.send(name, pack.path).digest


def _say_notes(output: Output, read: _Read) -> None:
    for note in read.notes:
        output.say(f"Not carried: {note}")
