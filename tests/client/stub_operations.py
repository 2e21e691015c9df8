"""What the stub server answers to each operation."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from tests.client import stub_second_factors
from tests.client.stub_state import NOW, StubState

from towline.contract.account import Account, AccountUser
from towline.contract.audit import AuditEntry, AuditList
from towline.contract.deployments import (
    ChangedVariable,
    Deployment,
    DeploymentChanges,
    DeploymentList,
    DeployRequest,
    SettingChange,
)
from towline.contract.domains import RouteList
from towline.contract.environments import Environment, EnvironmentList, ShareLinks
from towline.contract.keys import KeyList, NewKey
from towline.contract.metrics import MetricHistory, MetricPoint, Uptime, UptimeBar
from towline.contract.platform import (
    DockerStatus,
    DomainCheck,
    FormerHost,
    FormerHostList,
    Platform,
    PlatformHealth,
    PlatformPart,
    PlatformUpdated,
    QueuedDeployment,
)
from towline.contract.projects import Project, ProjectList, ProjectSummary, ProjectSummaryList
from towline.contract.registries import RegistryList
from towline.contract.releases import ReleaseList
from towline.contract.services import FoundService, FoundServiceList, ServiceList
from towline.contract.sessions import Renewed, Session, SessionList, SessionsEnded
from towline.contract.status import HealthCheck, HealthCheckList, InstanceList, ServiceStatus, ServiceStatusList
from towline.contract.uploads import Upload
from towline.contract.variables import VariableList
from towline.errors import NotFound
from towline.values import DeploymentStatus, EnvironmentKind, HealthStatus, Trigger

Path = Mapping[str, str]
Answer = Callable[[StubState, Path, Any, Any], BaseModel | None]


def _list_summaries(state: StubState, path: Path, query: Any, body: Any) -> ProjectSummaryList:
    page = _list_projects(state, path, query, body)
    items = [ProjectSummary(project=project, health=HealthStatus.HEALTHY) for project in page.items]
    return ProjectSummaryList(items=items, next_cursor=page.next_cursor)


def _list_projects(state: StubState, path: Path, query: Any, body: Any) -> ProjectList:
    """Pages of the asked size, so that following cursors is tested."""
    rows = sorted(state.projects.values(), key=lambda project: project.name)
    start = int(query.cursor or 0)
    end = start + min(query.limit, 2)
    return ProjectList(items=rows[start:end], next_cursor=str(end) if end < len(rows) else None)


def _update_project(state: StubState, path: Path, query: Any, body: Any) -> Project:
    project = state.get_project(path["project"])
    changed = project.model_copy(update=body.model_dump(exclude_unset=True))
    del state.projects[project.name]
    state.projects[changed.name] = changed
    return changed


def _search(state: StubState, path: Path, query: Any, body: Any) -> FoundServiceList:
    found = {place: service for place, service in state.services.items() if query.text in service.name}
    items = [
        FoundService(id=service.id, name=name, type=service.type, project=project, role="owner")
        for (project, name), service in found.items()
    ]
    return FoundServiceList(items=items)


def _delete_project(state: StubState, path: Path, query: Any, body: Any) -> None:
    del state.projects[state.get_project(path["project"]).name]


def _delete_service(state: StubState, path: Path, query: Any, body: Any) -> None:
    del state.services[state.find_key(path["project"], path["service"])]


def _environment(state: StubState, path: Path, query: Any, body: Any) -> Environment:
    project = state.get_project(path["project"])
    name, kind = (body.name, EnvironmentKind(body.kind)) if body else ("production", EnvironmentKind.PRODUCTION)
    return Environment(id="env_1", project_id=project.id, name=name, kind=kind, created_at=NOW)


def _changed_environment(state: StubState, path: Path, query: Any, body: Any) -> Environment:
    return _environment(state, path, query, None).model_copy(update={"name": path["environment"], **_given(body)})


def _given(body: Any) -> dict[str, Any]:
    return body.model_dump(exclude_unset=True) if body else {}


def _upload(state: StubState, path: Path, query: Any, body: Any) -> Upload:
    digest = body.digest if body else path["digest"]
    if body:
        state.uploads.setdefault(digest, bytearray())
        state.sizes[digest] = body.size
    there, size = len(state.uploads[digest]), state.sizes[digest]
    return Upload(digest=digest, size=size, offset=there, is_complete=there == size)


def _variables_place(state: StubState, path: Path, chosen: Any) -> tuple[str, str]:
    project = state.get_project(path["project"]).name
    return (project, state.find_key(project, chosen.service)[1] if chosen.service else "")


def _list_variables(state: StubState, path: Path, query: Any, body: Any) -> VariableList:
    rows = state.variables.get(_variables_place(state, path, query or body), {})
    return VariableList(items=sorted(rows.values(), key=lambda variable: variable.name))


def _set_variables(state: StubState, path: Path, query: Any, body: Any) -> VariableList:
    state.set_variables(_variables_place(state, path, body), body.variables)
    return _list_variables(state, path, None, body)


def _delete_variable(state: StubState, path: Path, query: Any, body: Any) -> None:
    rows = state.variables.get(_variables_place(state, path, query), {})
    if rows.pop(path["name"], None) is None:
        raise NotFound(f"There is no variable {path['name']!r}.")


def _status(state: StubState, path: Path, query: Any, body: Any) -> ServiceStatus:
    return state.statuses[state.find_key(path["project"], path["service"])]


def _change_status(**change: Any) -> Answer:
    def answer(state: StubState, path: Path, query: Any, body: Any) -> ServiceStatus:
        key = state.find_key(path["project"], path["service"])
        replicas = {"replicas": body.replicas} if hasattr(body, "replicas") else {}
        state.statuses[key] = state.statuses[key].model_copy(update={**change, **replicas})
        return state.statuses[key]

    return answer


def _rollback(state: StubState, path: Path, query: Any, body: Any) -> Deployment:
    project, service = body.project, body.service
    if body.deployment:
        target = state.look_at(body.deployment)
        project, service = target.project, target.service
    deployment = state.deploy(project, service, DeployRequest())
    change = {"trigger": Trigger.ROLLBACK, "rollback_of": body.release or deployment.number - 1}
    state.deployments[deployment.id] = deployment.model_copy(update=change)
    return state.deployments[deployment.id]


def _cancel(state: StubState, path: Path, query: Any, body: Any) -> Deployment:
    row = state.deployments[path["deployment"]].model_copy(update={"status": DeploymentStatus.CANCELLED})
    state.deployments[row.id] = row
    return row


def _list_deployments(state: StubState, path: Path, query: Any, body: Any) -> DeploymentList:
    rows = [
        row
        for row in state.deployments.values()
        if query.project in {None, row.project, row.project_id} and query.service in {None, row.service, row.service_id}
    ]
    return DeploymentList(items=rows[::-1][: query.limit])


def _platform_health(state: StubState, path: Path, query: Any, body: Any) -> PlatformHealth:
    parts = [
        PlatformPart(
            name="postgresql", title="PostgreSQL", purpose="Keeps everything.", is_working=True, detail="18.6"
        ),
        PlatformPart(
            name="docker", title="Docker", purpose="Runs.", is_working=state.has_docker, problem="It is away."
        ),
    ]
    waiting = QueuedDeployment(
        id="dpl_1",
        project="shop",
        service="api",
        number=3,
        status="queued",
        reason="behind 2",
        created_at=NOW,
    )
    room = {"disk_total": 100 * 10**9, "disk_free": 25 * 10**9, "memory_total": 8 * 10**9, "memory_available": 10**9}
    return PlatformHealth(parts=parts, troubles=[], queue=[waiting], **room)


def _platform(state: StubState, path: Path, query: Any, body: Any) -> Platform:
    return Platform(
        version="0.1.0",
        installation_id="ins",
        base_domain="localhost",
        platform_host="towline.localhost",
        url="http://towline.localhost:8080",
        http_port=8080,
        https_port=8443,
        has_certificates=False,
        can_change=True,
        upload_max_bytes=1 << 30,
        docker=DockerStatus(is_available=True, version="20.10.24"),
        queued_deployments=0,
        running_deployments=0,
    )


def _new_key(state: StubState, path: Path, query: Any, body: Any) -> NewKey:
    return NewKey(
        id="key_1",
        name=body.name,
        prefix="twl_abcd",
        scopes=body.scopes,
        expires_at=body.expires_at,
        created_at=NOW,
        value="twl_" + "a" * 40,
    )


def _account(state: StubState, path: Path, query: Any, body: Any) -> Account:
    user = AccountUser(id="usr_1", name="Ann", email="ann@example.com", is_administrator=True)
    return Account(user=user, permissions=["*"], has_password=True)


def _update_account(state: StubState, path: Path, query: Any, body: Any) -> Account:
    account = _account(state, path, query, body)
    change = body.model_dump(include={"name", "email"}, exclude_none=True)
    return account.model_copy(update={"user": account.user.model_copy(update=change)})


def _sessions(state: StubState, path: Path, query: Any, body: Any) -> SessionList:
    session = Session(
        id="ses_1",
        method="password",
        device="Firefox on Linux",
        address="203.0.113.9",
        is_current=True,
        created_at=NOW,
        last_used_at=NOW,
        expires_at=NOW,
    )
    return SessionList(items=[session])


def _audit(state: StubState, path: Path, query: Any, body: Any) -> AuditList:
    return AuditList(items=[AuditEntry(id=1, at=NOW, action="projects.create", outcome="allowed")])


def _health(state: StubState, path: Path, query: Any, body: Any) -> HealthCheckList:
    return HealthCheckList(items=[HealthCheck(checked_at=NOW, status=HealthStatus.HEALTHY, response_ms=1.5)])


def _statuses(state: StubState, path: Path, query: Any, body: Any) -> ServiceStatusList:
    names = [name for project, name in state.services if project == path["project"]]
    return ServiceStatusList(items=[_status(state, {**path, "service": name}, query, body) for name in names])


def _changes(state: StubState, path: Path, query: Any, body: Any) -> DeploymentChanges:
    return DeploymentChanges(
        previous_release=1,
        release=2,
        settings=[SettingChange(name="port", before="80", after="8080")],
        variables=[ChangedVariable(name="TOKEN", kind="changed", is_secret=True)],
    )


def _uptime(state: StubState, path: Path, query: Any, body: Any) -> Uptime:
    bars = [UptimeBar(at=NOW, healthy=3), UptimeBar(at=NOW, healthy=2, unhealthy=1, error="nothing answers HTTP")]
    return Uptime(begins_at=NOW, ends_at=NOW, step_seconds=1800, uptime=0.8333, bars=bars)


def _metrics(state: StubState, path: Path, query: Any, body: Any) -> MetricHistory:
    point = MetricPoint(
        at=NOW, instances=1, cpu=0.25, memory_bytes=64 << 20, memory_limit_bytes=1 << 30, sent_rate=2048
    )
    return MetricHistory(begins_at=NOW, ends_at=NOW, step_seconds=60, points=[point])


def _nothing(state: StubState, path: Path, query: Any, body: Any) -> None:
    return None


ANSWERS: Final[dict[str, Answer]] = {
    "projects.list": _list_projects,
    "projects.listSummaries": _list_summaries,
    "projects.create": lambda state, _path, _query, body: state.create_project(body),
    "projects.get": lambda state, path, _query, _body: state.get_project(path["project"]),
    "projects.update": _update_project,
    "projects.delete": _delete_project,
    "environments.list": lambda state, path, query, body: EnvironmentList(
        items=[_environment(state, path, query, body)]
    ),
    "environments.create": _environment,
    "environments.update": _changed_environment,
    "environments.wake": _changed_environment,
    "environments.createShareLink": lambda state, path, query, body: ShareLinks(
        urls=[f"https://{path['environment']}.example.com/_towline/share/secret"]
    ),
    "environments.deleteShareLink": _nothing,
    "environments.delete": _nothing,
    "variables.list": _list_variables,
    "variables.set": _set_variables,
    "variables.delete": _delete_variable,
    "uploads.create": _upload,
    "uploads.get": _upload,
    "services.search": _search,
    "services.listByProject": lambda state, path, _query, _body: ServiceList(
        items=[row for key, row in sorted(state.services.items()) if key[0] == path["project"]]
    ),
    "services.create": lambda state, path, _query, body: state.create_service(path["project"], body),
    "services.get": lambda state, path, _q, _b: state.services[state.find_key(path["project"], path["service"])],
    "services.update": lambda state, path, _query, body: state.update_service(path["project"], path["service"], body),
    "services.delete": _delete_service,
    "projects.createExample": lambda state, _path, _query, _body: state.deploy_example(),
    "services.deploy": lambda state, path, _query, body: state.deploy(path["project"], path["service"], body),
    "services.scale": _change_status(),
    "services.restart": _change_status(),
    "services.stop": _change_status(state="stopped"),
    "services.start": _change_status(state="running"),
    "services.getStatus": _status,
    "services.listStatuses": _statuses,
    "instances.list": lambda state, path, query, body: InstanceList(items=_status(state, path, query, body).instances),
    "health.history": _health,
    "health.uptime": _uptime,
    "metrics.history": _metrics,
    "releases.list": lambda state, path, _q, _b: ReleaseList(items=state.releases(path["project"], path["service"])),
    "releases.promote": lambda state, path, _query, body: state.deploy(
        path["project"], path["service"], DeployRequest(environment=body.to_environment)
    ),
    "routes.list": lambda state, _path, _query, _body: RouteList(items=list(state.routes.values())),
    "routes.create": lambda state, _path, _query, body: state.create_route(body),
    "routes.delete": lambda state, path, _query, _body: (state.routes.pop(path["route"]), None)[1],
    "deployments.trigger": lambda state, _path, _query, body: state.deploy(body.project, body.service, body),
    "deployments.list": _list_deployments,
    "deployments.rollback": _rollback,
    "deployments.getStatus": lambda state, path, _query, _body: state.look_at(path["deployment"]),
    "deployments.getChanges": _changes,
    "deployments.cancel": _cancel,
    "account.get": _account,
    "account.update": _update_account,
    "account.changePassword": lambda _state, _path, _query, _body: Renewed(token="tws_" + "n" * 43),
    "sessions.list": _sessions,
    "sessions.delete": _nothing,
    "sessions.deleteOthers": lambda _state, _path, _query, _body: SessionsEnded(ended=2),
    "keys.list": lambda _state, _path, _query, _body: KeyList(items=[]),
    "keys.create": _new_key,
    "keys.delete": _nothing,
    "registries.list": lambda state, _path, _query, _body: RegistryList(items=list(state.registries.values())),
    "registries.create": lambda state, _path, _query, body: state.create_registry(body),
    "registries.delete": lambda state, path, _query, _body: (state.registries.pop(path["registry"]), None)[1],
    "audit.list": _audit,
    "platform.get": _platform,
    "platform.getHealth": _platform_health,
    "platform.update": lambda _state, _path, _query, body: PlatformUpdated(
        base_domain=body.base_domain,
        platform_host=f"towline.{body.base_domain}",
        url=f"http://towline.{body.base_domain}",
        is_restarting=body.even_if_unreachable,
    ),
    "platform.listFormerHosts": lambda _state, _path, _query, _body: FormerHostList(
        items=[FormerHost(host=host, left_at=NOW, providers=0) for host in ("towline.example.net", "towline.localhost")]
    ),
    "platform.retireFormerHost": _nothing,
    "platform.checkDomain": lambda _state, _path, query, _body: DomainCheck(
        domain=query.domain or "localhost", host="towline-check.example.com", problem="It has no address."
    ),
    **stub_second_factors.ANSWERS,
}
