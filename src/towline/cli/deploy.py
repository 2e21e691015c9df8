"""`towline deploy`: a folder, a repository, an image or a Dockerfile becomes a running service."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from towline.cli.following import follow_deployment
from towline.cli.ignores import list_files
from towline.cli.link import Link, find_own_link, store_link
from towline.cli.options import AsJson, Detach, EnvironmentOption, ProjectOption, ServiceOption, Yes
from towline.cli.output import size_text
from towline.cli.packing import no_file, packed
from towline.cli.service_options import Health, Port, StartCommand, settings_from
from towline.cli.session import Session, Target, open_session
from towline.cli.spinner import Spinner
from towline.contract.deployments import Deployment, DeployRequest
from towline.contract.projects import ProjectCreate
from towline.contract.services import Service, ServiceCreate, ServiceUpdate
from towline.contract.sources import ServiceSource
from towline.errors import InvalidInput, NotFound
from towline.names import to_slug
from towline.values import ServiceType


@dataclass(frozen=True, slots=True)
class Origin:
    """What the command line asked to deploy; at most one of `folder`, `git`, `image` and `dockerfile`."""

    folder: Path | None = None
    git: str | None = None
    image: str | None = None
    dockerfile: str | None = None
    ref: str | None = None

    @property
    def source(self) -> ServiceSource:
        """The source of a service made for it."""
        if self.git:
            return ServiceSource(type="git", config={"url": self.git, **({"branch": self.ref} if self.ref else {})})
        if self.image:
            return ServiceSource(type="custom", config={"image": self.image})
        if self.dockerfile:
            return ServiceSource(type="custom", config={"dockerfile": self.dockerfile})
        return ServiceSource(type="upload")

    @property
    def default_name(self) -> str:
        """A name for a project made for it."""
        if self.git:
            return to_slug(self.git.rstrip("/").rpartition("/")[2].removesuffix(".git"))
        if self.image:
            return to_slug(self.image.partition("@")[0].rpartition("/")[2].partition(":")[0])
        return to_slug(self.root.name)

    @property
    def root(self) -> Path:
        """The folder that is packed when nothing else is deployed."""
        return (self.folder or Path.cwd()).resolve()


def deploy(
    path: Annotated[Path | None, typer.Argument(metavar="PATH", help="Folder to deploy; else this one.")] = None,
    *,
    git: Annotated[str | None, typer.Option("--git", metavar="URL", help="Deploy a git repository.")] = None,
    ref: Annotated[
        str | None, typer.Option("--ref", metavar="REF", help="Branch, tag or commit of the repository.")
    ] = None,
    image: Annotated[str | None, typer.Option("--image", metavar="REF", help="Deploy a prebuilt image.")] = None,
    dockerfile: Annotated[
        Path | None, typer.Option("--dockerfile", metavar="FILE", help="Deploy a Dockerfile that needs no other file.")
    ] = None,
    project: ProjectOption = None,
    service: ServiceOption = None,
    environment: EnvironmentOption = None,
    kind: Annotated[ServiceType, typer.Option("--type", help="Type of a service made by this.")] = ServiceType.WEB,
    port: Port = None,
    health: Health = None,
    start_command: StartCommand = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Build again, without any cache.")] = False,
    detach: Detach = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Deploy a folder, a git repository, an image or a Dockerfile, and wait until it answers.

    Without options the folder is packed (.gitignore and .dockerignore are respected), uploaded and built. A project
    and a service are made when there are none; the folder remembers them.
    """
    origin = _origin(path, git=git, ref=ref, image=image, dockerfile=dockerfile)
    settings = settings_from(None, type=kind, port=port, health=health, start_command=start_command)
    with open_session(as_json=as_json, folder=path) as session:
        target = _choose_target(session, origin, Target(project or "", service or "", environment or ""), yes=yes)
        row = _find_or_create(session, origin, target, settings=settings, yes=yes)
        request = DeployRequest(environment=target.environment, no_cache=no_cache, ref=None if git else ref)
        deployment = _start(session, origin, target, service=row, request=request)
        _remember(session, origin, target)
        if detach:
            session.output.model(deployment, {"deployment": deployment.id, "status": deployment.status})
            return
        follow_deployment(session.client, deployment, output=session.output)


def _origin(
    path: Path | None, *, git: str | None, ref: str | None, image: str | None, dockerfile: Path | None
) -> Origin:
    given = [name for name, value in (("PATH", path), ("--git", git), ("--image", image)) if value] + (
        ["--dockerfile"] if dockerfile else []
    )
    if len(given) > 1:
        raise InvalidInput(f"{' and '.join(given)} cannot be deployed at once.", hint="Give only one of them.")
    if path is not None and not path.is_dir():
        raise InvalidInput(f"{path} is not a folder.", field="path", hint="Give a folder, or --git URL or --image REF.")
    return Origin(folder=path, git=git, image=image, ref=ref, dockerfile=_read_dockerfile(dockerfile))


def _read_dockerfile(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The Dockerfile {path} cannot be read: {error}.", field="dockerfile") from error


def _choose_target(session: Session, origin: Origin, given: Target, *, yes: bool) -> Target:
    """Named by options, else linked, else asked for with the folder's name as the default.

    A folder below a linked one takes the project from there, but is not its service.
    """
    link = session.link if session.link and given.project in {"", session.link.project} else None
    environment = given.environment or (link.environment if link else "production")
    project = given.project or (link.project if link else "") or _ask("project", origin.default_name, yes=yes)
    if given.service or link is None:
        return Target(project, given.service or project, environment)
    own = link if origin.source.type != "upload" else find_own_link(origin.root)
    return Target(project, own.service if own else _ask("service", origin.default_name, yes=yes), environment)


def _ask(what: str, default: str, *, yes: bool) -> str:
    if yes:
        return default
    if not sys.stdin.isatty():
        raise InvalidInput(
            f"No {what} was named and this folder is not linked to one; {default!r} would be its name.",
            hint=f"Pass --yes to take {default!r}, or --{what} NAME.",
            field=what,
        )
    return typer.prompt(what.capitalize(), default=default, err=True)


def _find_or_create(
    session: Session, origin: Origin, target: Target, *, settings: dict[str, object], yes: bool
) -> Service:
    client = session.client
    try:
        client.projects.get(target.project)
    except NotFound:
        _check_folder(origin)
        session.confirm(f"There is no project {target.project}. Create it?", yes=yes)
        client.projects.create(ProjectCreate(name=target.project))
    try:
        service = client.services.get(target.project, target.service)
    except NotFound:
        _check_folder(origin)
        body = ServiceCreate.model_validate({**settings, "name": target.service, "source": origin.source})
        return client.services.create(target.project, body)
    return _with_changes(session, origin, target, service=service, settings=settings)


def _check_folder(origin: Origin) -> None:
    """Nothing is made for a folder that cannot be deployed."""
    if origin.source.type == "upload" and not list_files(origin.root):
        raise no_file(origin.root)


def _with_changes(
    session: Session, origin: Origin, target: Target, *, service: Service, settings: dict[str, object]
) -> Service:
    """The service with what the command line says of it: another repository, port, check or start command."""
    change = {name: value for name, value in settings.items() if name != "type"}
    if origin.git and (service.source.type != "git" or service.source.config.get("url") != origin.git):
        change["source"] = origin.source
    if not change:
        return service
    return session.client.services.update(target.project, target.service, ServiceUpdate.model_validate(change))


def _start(session: Session, origin: Origin, target: Target, *, service: Service, request: DeployRequest) -> Deployment:
    if origin.git:
        request = request.model_copy(update={"ref": origin.ref})
    elif origin.image:
        request = request.model_copy(update={"image": origin.image})
    elif origin.dockerfile:
        request = request.model_copy(update={"dockerfile": origin.dockerfile})
    elif origin.folder or service.source.type == "upload":
        digest = _upload(session, target, folder=origin.root, service=service)
        request = request.model_copy(update={"upload": digest})
    return session.client.services.deploy(target.project, target.service, request)


def _upload(session: Session, target: Target, *, folder: Path, service: Service) -> str:
    with Spinner(is_shown=not session.output.is_json) as spinner:
        spinner.say(f"packing {folder}")
        names = list_files(folder, dockerfile=service.dockerfile_path, uses_dockerignore=service.context == ".")
        with packed(folder, names, on_file=lambda count: spinner.say(f"packing {count} of {len(names)} files")) as pack:
            size = size_text(pack.path.stat().st_size)
            upload = session.client.uploads.send(
                target.project,
                pack.path,
                on_progress=lambda there, _size: spinner.say(f"uploading {size_text(there)} of {size}"),
            )
    session.output.say(f"Packed {pack.files} file{'' if pack.files == 1 else 's'} from {folder} ({size}).")
    return upload.digest


def _remember(session: Session, origin: Origin, target: Target) -> None:
    """A folder that was deployed and is not linked yet gets linked."""
    if origin.source.type != "upload" or find_own_link(origin.root):
        return
    store_link(origin.root, Link(target.project, target.service, target.environment, session.credentials.url))
