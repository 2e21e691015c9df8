"""What the stub server remembers: projects, services, uploads and deployments, without running anything."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from towline.contract.deployments import Deployment, DeploymentError, DeploymentStep, DeployRequest
from towline.contract.domains import Route, RouteCreate
from towline.contract.identities import IdentityProvider
from towline.contract.logs import LogEntry
from towline.contract.projects import Project, ProjectCreate
from towline.contract.registries import Registry, RegistryCreate
from towline.contract.releases import Release
from towline.contract.services import Service, ServiceCreate, ServiceUpdate
from towline.contract.status import Instance, ServiceStatus
from towline.contract.variables import Variable, VariableValue
from towline.errors import Conflict, NotFound
from towline.names import new_id
from towline.values import DeploymentStatus, HealthStatus, InstanceState, Step, Trigger

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
API_KEY = "twl_" + "k" * 40


@dataclass
class StubState:
    """Rows of the stub. `outcome` is how the next deployment ends; `looks` how many status calls it takes to end."""

    outcome: DeploymentStatus = DeploymentStatus.SUCCESS
    has_docker: bool = True
    error: DeploymentError | None = None
    looks: int = 2
    log_lines: list[str] = field(default_factory=lambda: ["fetching", "building", "starting"])
    cut_log_after: int | None = None
    cut_upload_after: int | None = None
    failures_before_answer: int = 0
    refusals_before_events: int = 0
    projects: dict[str, Project] = field(default_factory=dict[str, Project])
    services: dict[tuple[str, str], Service] = field(default_factory=dict[tuple[str, str], Service])
    statuses: dict[tuple[str, str], ServiceStatus] = field(default_factory=dict[tuple[str, str], ServiceStatus])
    deployments: dict[str, Deployment] = field(default_factory=dict[str, Deployment])
    requests: dict[str, DeployRequest] = field(default_factory=dict[str, DeployRequest])
    uploads: dict[str, bytearray] = field(default_factory=dict[str, bytearray])
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    variables: dict[tuple[str, str], dict[str, Variable]] = field(
        default_factory=dict[tuple[str, str], dict[str, Variable]]
    )
    routes: dict[str, Route] = field(default_factory=dict[str, Route])
    registries: dict[str, Registry] = field(default_factory=dict[str, Registry])
    answered: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])
    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])
    received_bytes: int = 0
    device_answers: list[str] = field(default_factory=lambda: ["pending", "slow_down", "approved"])
    deleted_keys: list[str] = field(default_factory=list[str])
    providers: dict[str, IdentityProvider] = field(default_factory=dict[str, IdentityProvider])
    numbers: Any = field(default_factory=lambda: count(1))

    def create_project(self, body: ProjectCreate) -> Project:
        if body.name in self.projects:
            raise Conflict(f"There is already a project {body.name!r}.", field="name")
        project = Project(
            id=new_id("prj"),
            name=body.name,
            owner_id="usr_1",
            base_domain=body.base_domain or "localhost",
            role="owner",
            service_count=0,
            created_at=NOW,
        )
        self.projects[body.name] = project
        return project

    def get_project(self, reference: str) -> Project:
        for project in self.projects.values():
            if reference in {project.id, project.name}:
                return project
        raise NotFound(f"There is no project {reference!r} that you may see.")

    def create_service(self, project: str, body: ServiceCreate) -> Service:
        key = (self.get_project(project).name, body.name)
        if key in self.services:
            raise Conflict(f"There is already a service {body.name!r}.", field="name")
        settings = body.model_dump(exclude={"credential", "build_secrets"})
        service = Service(
            **settings,
            id=new_id("svc"),
            project_id=self.projects[key[0]].id,
            has_credential=body.credential is not None,
            is_auto_port=body.port is None,
            created_at=NOW,
            updated_at=NOW,
        )
        self.services[key] = service
        self.statuses[key] = ServiceStatus(
            project_id=service.project_id,
            service_id=service.id,
            environment="production",
            state="running",
            health=HealthStatus.UNKNOWN,
            replicas=body.replicas,
            running=0,
        )
        return service

    def find_key(self, project: str, service: str) -> tuple[str, str]:
        key = (self.get_project(project).name, service)
        for candidate, row in self.services.items():
            if candidate == key or (candidate[0] == key[0] and row.id == service):
                return candidate
        raise NotFound(f"There is no service {service!r} in project {key[0]!r}.")

    def update_service(self, project: str, service: str, body: ServiceUpdate) -> Service:
        key = self.find_key(project, service)
        change = body.model_dump(exclude_unset=True, exclude={"credential", "build_secrets"})
        row = Service.model_validate({**self.services[key].model_dump(), **change})
        self.services[key] = row
        return row

    def deploy(self, project: str, service: str, body: DeployRequest) -> Deployment:
        key = self.find_key(project, service)
        deployment = Deployment(
            id=new_id("dep"),
            number=next(self.numbers),
            project_id=self.services[key].project_id,
            project=key[0],
            service_id=self.services[key].id,
            service=key[1],
            environment=body.environment,
            status=DeploymentStatus.QUEUED,
            step=Step.WAIT,
            trigger=Trigger.API,
            created_at=NOW,
        )
        self.deployments[deployment.id] = deployment
        self.requests[deployment.id] = body
        return deployment

    def deploy_example(self) -> Deployment:
        if "hello" not in self.projects:
            self.create_project(ProjectCreate(name="hello"))
            self.create_service("hello", ServiceCreate(name="hello"))
        return self.deploy("hello", "hello", DeployRequest())

    def look_at(self, deployment_id: str) -> Deployment:
        """The deployment, one step further than at the look before."""
        if deployment_id not in self.deployments:
            raise NotFound(f"There is no deployment {deployment_id!r}.")
        deployment = self.deployments[deployment_id]
        if deployment.status.is_final:
            return deployment
        attempt = deployment.attempt + 1
        if attempt < self.looks:
            change: dict[str, Any] = {"status": DeploymentStatus.BUILDING, "step": Step.BUILD, "attempt": attempt}
        else:
            change = self._ended(deployment, attempt)
        self.deployments[deployment_id] = deployment.model_copy(update=change)
        return self.deployments[deployment_id]

    def _ended(self, deployment: Deployment, attempt: int) -> dict[str, Any]:
        steps = [
            DeploymentStep(step=Step.BUILD, started_at=NOW, finished_at=NOW, seconds=0.25),
            DeploymentStep(step=Step.SWITCH, started_at=NOW, finished_at=NOW, seconds=0.1),
        ]
        is_live = self.outcome is DeploymentStatus.SUCCESS
        urls = [f"http://{deployment.project}.localhost:8080"] if is_live else []
        if is_live:
            key = (deployment.project, deployment.service)
            change = {"running": 1, "release": deployment.number, "urls": urls, "health": HealthStatus.HEALTHY}
            self.statuses[key] = self.statuses[key].model_copy(
                update={**change, "instances": [make_instance(deployment.number)]}
            )
        return {
            "status": self.outcome,
            "step": Step.DONE,
            "attempt": attempt,
            "steps": steps,
            "urls": urls,
            "release": deployment.number if is_live else None,
            "error": self.error,
            "finished_at": NOW,
        }

    def entries(self, *, since: int = 1) -> list[LogEntry]:
        entries = [
            LogEntry(sequence=number, at=NOW, stream="stdout", level="info", message=text)
            for number, text in enumerate(self.log_lines, start=1)
        ]
        if self.error is not None:
            reason = LogEntry(
                sequence=len(entries) + 1, at=NOW, stream="system", level="error", message=self.error.message
            )
            hint = reason.model_copy(
                update={"sequence": reason.sequence + 1, "level": "info", "message": self.error.hint}
            )
            entries += [reason, hint]
        return [entry for entry in entries if entry.sequence >= since]

    def receive(self, digest: str, content: bytes) -> None:
        self.uploads[digest] += content
        self.received_bytes += len(content)
        if len(self.uploads[digest]) == self.sizes[digest]:
            assert digest == "sha256:" + hashlib.sha256(self.uploads[digest]).hexdigest()

    def set_variables(self, place: tuple[str, str], values: list[VariableValue]) -> None:
        for value in values:
            self.variables.setdefault(place, {})[value.name] = Variable(
                name=value.name,
                value=None if value.is_secret else value.value,
                is_secret=value.is_secret,
                level="service" if place[1] else "project",
                updated_at=NOW,
            )

    def create_route(self, body: RouteCreate) -> Route:
        route = Route(
            id=new_id("rte"),
            host=body.host,
            path_prefix=body.path_prefix,
            environment=body.environment,
            kind="custom",
            url=f"https://{body.host}{body.path_prefix}",
            certificate="pending",
            created_at=NOW,
        )
        self.routes[route.id] = route
        return route

    def create_registry(self, body: RegistryCreate) -> Registry:
        registry = Registry(id=new_id("reg"), host=body.host, username=body.username, created_at=NOW)
        self.registries[registry.id] = registry
        return registry

    def releases(self, project: str, service: str) -> list[Release]:
        live = [
            row for row in self.deployments.values() if row.release and (row.project, row.service) == (project, service)
        ]
        return [
            Release(
                id=new_id("rel"),
                number=row.release or 0,
                environment=row.environment,
                deployment_id=row.id,
                image="sha256:1",
                created_at=NOW,
                is_current=row is live[-1],
                can_rollback=row is not live[-1],
            )
            for row in reversed(live)
        ]


def make_instance(release: int) -> Instance:
    """A healthy instance."""
    return Instance(
        id="ins_1",
        name="towline-shop-api-production-r1-1",
        release=release,
        state=InstanceState.RUNNING,
        health=HealthStatus.HEALTHY,
        is_routed=True,
        address="10.117.0.3",
        port=8080,
        started_at=NOW,
    )
