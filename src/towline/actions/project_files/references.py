"""References of a file checked before anything is applied: a deployment would only fail by them later."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import select

from towline.actions.configuration.references import Reference, Value, resolve
from towline.actions.project_files.state import ProjectState, ServiceState, Variables, VariableState
from towline.errors import InvalidInput
from towline.infra.database import Work
from towline.models.projects import Environment, Project
from towline.models.services import Variable
from towline.values import EnvironmentKind, ServiceType

_FACTS_OF_WEB = ("url", "internal_url", "host", "port")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a file's variables meet: names of global ones, and the kind of environment that is deployed."""

    global_names: Collection[str] = ()
    kind: EnvironmentKind = EnvironmentKind.PRODUCTION


async def load_surroundings(work: Work, project: Project | None, environment: str) -> Surroundings:
    """The surroundings of a project (None: one to be made)."""
    query = select(Variable.name, Variable.is_secret).where(Variable.level == "global")
    takes_secrets = project is not None and project.takes_global_secrets
    names = {name for name, is_secret in await work.session.execute(query) if takes_secrets or not is_secret}
    kind: str | None = None
    if project is not None:
        found = select(Environment.kind).where(Environment.project_id == project.id, Environment.name == environment)
        kind = await work.session.scalar(found.where(Environment.deleted_at.is_(None)))
    return Surroundings(names, EnvironmentKind(kind or EnvironmentKind.PRODUCTION))


def check_references(present: ProjectState, wanted: ProjectState, around: Surroundings, *, deletes: bool) -> None:
    """Return when every reference of the file leads somewhere; InvalidInput naming the place of one that does not.

    Services that stay as they are were checked before. Previews have variables of their own that no file knows, so what
    is deployed there is not checked.
    """
    if around.kind is EnvironmentKind.PREVIEW:
        return
    left = replace(present, services={}, variables={}) if deletes else present
    services = {**left.services, **wanted.services}
    shared = {**left.variables, **wanted.variables}
    texts = {name: _texts(service, left.services.get(name), shared, around) for name, service in services.items()}
    concerns_all = deletes or shared != dict(present.variables)
    for name in sorted(wanted.services):
        if concerns_all or wanted.services[name] != present.services.get(name):
            _check_service(name, texts, services)


def _check_service(name: str, texts: Mapping[str, Mapping[str, Value]], services: Mapping[str, ServiceState]) -> None:
    def get_fact(reference: Reference) -> str:
        if reference.service and reference.service not in services:
            raise InvalidInput(
                f"the project has no service {reference.service!r}.", hint="Add it to the file, or correct the name."
            )
        if reference.service and reference.fact not in _facts_of(services[reference.service]):
            raise InvalidInput(f"the service {reference.service!r} has no {reference.fact}.", hint="Give it a port.")
        return ""

    try:
        resolve(name, variables=texts, get_fact=get_fact)
    except InvalidInput as error:
        raise InvalidInput(error.message, hint=error.hint, field="file") from error


def _texts(
    service: ServiceState, left: ServiceState | None, shared: Variables, around: Surroundings
) -> dict[str, Value]:
    """What a service would have; the values of secrets are not known, and refer to nothing here."""
    own: Variables = {**shared, **(left.variables if left is not None else {}), **service.variables}
    values = {name: Value(one.value or "") for name, one in own.items() if _applies(one, around.kind)}
    return {**dict.fromkeys(around.global_names, Value("")), **values}


def _applies(variable: VariableState, kind: EnvironmentKind) -> bool:
    return not variable.kinds or kind.value in variable.kinds


def _facts_of(service: ServiceState) -> Collection[str]:
    if service.settings["type"] == ServiceType.WEB:
        return _FACTS_OF_WEB
    return ("host", "port") if service.settings["port"] else ("host",)
