"""One project with something of everything in it, and everyone who could knock at the door."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select, update
from tests.web.door import Door, Person

from towline.actions.access import Caller
from towline.actions.configuration.places import Place
from towline.actions.configuration.settings import WantedVariable, set_variables
from towline.actions.connections.administration import connection_context
from towline.actions.environments import add_environment, get_environment
from towline.actions.hooks.administration import create_hook
from towline.actions.identities.administration import client_secret_context
from towline.actions.invitations import invite_to_project
from towline.actions.notifications.channels import WantedChannel, create_channel
from towline.actions.platform import Platform
from towline.actions.projects import create_project
from towline.actions.sessions import open_session
from towline.actions.webhook_secrets import rotate_secret
from towline.infra.database import Work
from towline.models.accounts import ApiKey, User
from towline.models.backups import Backup, Restore
from towline.models.base import utc_now
from towline.models.connections import Connection
from towline.models.deployments import Deployment, Registry, Release
from towline.models.groups import Group, ServiceDependency
from towline.models.hooks import HookDelivery
from towline.models.identities import IdentityProvider
from towline.models.previews import Preview
from towline.models.projects import Project, ProjectCollaborator
from towline.models.runs import CronRun
from towline.models.services import Route, Service, Workload
from towline.models.variable_changes import VariableChange
from towline.names import new_id
from towline.values import EnvironmentKind

SCOPES: Final = (
    "view_projects",
    "view_logs",
    "deploy",
    "create_previews",
    "manage_services",
    "manage_collaborators",
    "manage_project",
    "create_projects",
    "administer",
)
"""Every scope; keys of one alone are the owner's, that of `administer` the administrator's."""

VISITORS: Final = ("stranger", "viewer", "developer", "admin", "owner", "foreign", "root")
_DIGEST: Final = "sha256:" + "2" * 64
_VOLUMES: Final = {"volumes": [{"name": "data", "path": "/data"}]}
_numbers = itertools.count(1)


@dataclass
class Crowd:
    """The people (`visitors` by a session, as browsers have), and the ids of what there is of the project."""

    door: Door
    bundle_digest: str
    people: dict[str, Person] = field(default_factory=dict[str, Person])
    visitors: dict[str, Person] = field(default_factory=dict[str, Person])
    values: dict[str, str] = field(default_factory=dict[str, str])

    def values_for(self, person: Person) -> dict[str, str]:
        """What to put into paths and bodies for one call."""
        return {**self.values, "key": self.values.get(f"key {person.token}", "key_0"), "number": str(next(_numbers))}

    async def add_project(self) -> None:
        """A project with something of everything in it."""
        platform, digest = self.door.platform, f"sha256:{next(_numbers):064x}"
        owner, name = Caller(user_id=self.people["owner"].user_id), f"shop-{next(_numbers)}"
        async with platform.database.transaction() as work:
            project = await create_project(platform, work, owner, name=name)
            work.session.add_all(
                ProjectCollaborator(project_id=project.id, user_id=self.people[role].user_id, role=role)
                for role in ("viewer", "developer", "admin")
            )
            made = await invite_to_project(
                platform, work, owner, project, email=f"i{next(_numbers)}@example.com", role="viewer"
            )
            self.values.update(project=project.id, name=name, digest=digest, invitation=made.invitation.id)
            self.values.update(owner=owner.user_id, member=self.people["viewer"].user_id)
            self.values["provider"] = await _add_provider(platform, work)
            self.values["change"] = await self._set_variable(work, owner, project)
            self.values["global_change"] = await self._set_variable(work, owner, None)
            await self._add_service(work, project)
            await self._add_hook(work, project)
            await self._add_channel(work, project)
        await self.people["owner"].post(f"/projects/{project.id}/uploads", {"digest": digest, "size": 10})

    async def _set_variable(self, work: Work, caller: Caller, project: Project | None) -> str:
        """The id of the change that set the variable KEPT."""
        wanted = [WantedVariable("KEPT", "1", is_secret=False)]
        await set_variables(self.door.platform, work, Place(project), wanted, caller=caller)
        await work.session.flush()
        of_it = VariableChange.project_id.is_not_distinct_from(None if project is None else project.id)
        return (await work.session.scalars(select(VariableChange.id).where(of_it))).one()

    async def _add_hook(self, work: Work, project: Project) -> None:
        """A connected repository that has told something."""
        made = await create_hook(
            self.door.platform, work, project, source_type="github", address="https://github.com/a/b", rules=()
        )
        told = HookDelivery(id=new_id("dlv"), hook_id=made.hook.id, delivery_key="1", kind="ping", status="done")
        work.session.add(told)
        self.values.update(hook=made.hook.id, delivery=told.id)

    async def _add_channel(self, work: Work, project: Project) -> None:
        """Somewhere to send notifications."""
        kinds: dict[str, list[str]] = {"events": ["health.down"], "environments": ["production"]}
        wanted = WantedChannel(name="on call", kind="email", address="kim@example.com", allows_local=False, **kinds)
        made = await create_channel(self.door.platform, work, project_id=project.id, wanted=wanted)
        self.values["channel"] = made.channel.id

    async def _add_service(self, work: Work, project: Any) -> None:
        await add_environment(work, project.id, "staging", kind=EnvironmentKind.STAGING)
        production = await get_environment(work, project.id, "production")
        service_id, workload_id, release_id = new_id("svc"), new_id("wkl"), new_id("rel")
        ids = {"project_id": project.id, "service_id": service_id, "environment_id": production.id}
        route_id, registry_id, connection_id = new_id("rou"), new_id("reg"), new_id("con")
        rows: list[list[Any]] = [
            [
                Service(
                    id=service_id, project_id=project.id, name="api", type="web", source_type="upload", run=_VOLUMES
                ),
                Registry(id=registry_id, project_id=project.id, host="r.example.com", username="a", password=b""),
                _platform_connection(self.door, connection_id, project_id=project.id),
            ],
            [Workload(id=workload_id, release_id=release_id, **ids)],
            [
                Route(id=route_id, workload_id=workload_id, host=f"{route_id[4:]}.example.com", kind="custom"),
                _release(self.door, release_id, workload_id),
                _deployment(workload_id, self.bundle_digest, **ids),
            ],
        ]
        for batch in rows:
            work.session.add_all(batch)
            await work.session.flush()
        await self._add_group(work, ids)
        await self._add_backup(work, {**ids, "workload_id": workload_id})
        run = CronRun(id=new_id("run"), workload_id=workload_id, status="success", **_run_facts(ids))
        work.session.add(run)
        self.values["run"] = run.id
        await self._add_preview(work, ids)
        secret = await rotate_secret(self.door.platform, work, service_id, overlap=timedelta())
        self.values.update(service=service_id, route=route_id, registry=registry_id, deployment=rows[2][2].id)
        self.values.update(secret=secret.secret.id, connection=connection_id)

    async def _add_preview(self, work: Work, ids: dict[str, str]) -> None:
        """A preview that was never deployed."""
        environment = await add_environment(work, ids["project_id"], "try", kind=EnvironmentKind.PREVIEW)
        facts = {"project_id": ids["project_id"], "base_environment_id": ids["environment_id"], "origin": "custom"}
        preview = Preview(id=new_id("prv"), environment_id=environment.id, service_ids=[ids["service_id"]], **facts)
        work.session.add(preview)
        await work.session.flush()
        self.values["preview"] = preview.id

    async def _add_backup(self, work: Work, ids: dict[str, str]) -> None:
        """A snapshot that failed, and a restore that did too."""
        backup_id, restore_id = new_id("bkp"), new_id("rst")
        names: dict[str, str] = {"service_name": "api", "environment_name": "production", "trigger": "manual"}
        work.session.add(Backup(id=backup_id, kind="snapshot", volume="data", status="failed", **names, **ids))
        await work.session.flush()
        facts: dict[str, str] = {"service_name": "api", "status": "failed", "backup_id": backup_id}
        work.session.add(Restore(id=restore_id, kind="volume", volume="data", **facts, **ids))
        await work.session.flush()
        self.values.update(backup=backup_id, restore=restore_id)

    async def _add_group(self, work: Work, ids: dict[str, str]) -> None:
        """A second service that the first one needs, and a group that has ended."""
        needed_id, group_id = new_id("svc"), new_id("grp")
        place = {name: ids[name] for name in ("project_id", "environment_id")}
        needed = Service(id=needed_id, project_id=ids["project_id"], name="store", type="web", source_type="upload")
        work.session.add_all([needed, Group(id=group_id, number=1, trigger="api", status="success", **place)])
        await work.session.flush()
        work.session.add(ServiceDependency(service_id=ids["service_id"], depends_on_service_id=needed_id))
        self.values.update(needed=needed_id, group=group_id)


async def gather(door: Door) -> Crowd:
    """Everyone, before a project that is the owner's."""
    tree = Path(door.platform.settings.data_dir) / "tree"
    tree.mkdir()
    (tree / "index.html").write_text("hello")
    digest, _ = await door.platform.storage.store_tree(tree)
    crowd = Crowd(door, digest, {"nobody": door.nobody()})
    for name in ("stranger", "viewer", "developer", "admin", "owner", "foreign", "disabled"):
        crowd.people[name] = await door.add_person()
    crowd.people["root"] = await door.add_person(is_administrator=True)
    await crowd.people["foreign"].post("/projects", {"name": "theirs"})
    other = await crowd.people["owner"].post("/projects", {"name": "other"})
    await crowd.add_project()
    await _add_sessions(crowd)
    await _add_keys(crowd, other["id"])
    await _disable(door, crowd.people.pop("disabled"))
    await _forget_uses(door)
    return crowd


@asynccontextmanager
async def undone(door: Door) -> AsyncGenerator[None]:
    """Take back all that happens in the database meanwhile, committed or not: its one connection is in a transaction.

    Transactions of the application are savepoints in it.
    """
    driver = await _connection(door)
    around = driver.transaction()
    await around.start()
    try:
        yield
        await door.app.state.use_notes.close()
    finally:
        assert await _connection(door) is driver, "the connection was lost"
        await around.rollback()


async def _connection(door: Door) -> Any:
    async with door.platform.database.engine.connect() as connection:
        return (await connection.get_raw_connection()).driver_connection


async def _add_keys(crowd: Crowd, other_project_id: str) -> None:
    door, owner_id, root_id = crowd.door, crowd.people["owner"].user_id, crowd.people["root"].user_id
    crowd.people |= {
        "elsewhere": await door.add_key(owner_id, project_id=other_project_id),
        "outside": await door.add_key(owner_id, addresses=["198.51.100.0/24"]),
        "ended (expired key)": await door.add_key(owner_id, expires_at=utc_now() - timedelta(seconds=1)),
        "ended (revoked key)": await door.add_key(owner_id, is_revoked=True),
        "ended (key of a disabled user)": crowd.people["disabled"],
    }
    for scope in SCOPES:
        user_id = root_id if scope == "administer" else owner_id
        crowd.people[f"only {scope}"] = await door.add_key(user_id, scopes=[scope])
    for name, person in crowd.people.items():
        if person.user_id:
            # A key can only deal with keys that do no more than itself, so this one can do very little.
            project_id = other_project_id if name == "elsewhere" else None
            scope = name.removeprefix("only ") if name.startswith("only ") else "create_previews"
            made = await door.make_key(person.user_id, scopes=[scope], project_id=project_id)
            crowd.values[f"key {person.token}"] = made.id


async def _add_sessions(crowd: Crowd) -> None:
    """One of everyone, and one for each way of ending."""
    now = utc_now()
    endings: dict[str, dict[str, Any]] = {
        "ended (session signed out)": {"revoked_at": now},
        "ended (session too old)": {"expires_at": now - timedelta(seconds=1)},
        "ended (session left alone)": {"last_used_at": now - timedelta(days=365)},
        "ended (session of a disabled user)": {},
    }
    async with crowd.door.platform.database.transaction() as work:
        for name in VISITORS:
            crowd.visitors[name] = await _open(crowd, work, name)
        crowd.people["session"] = crowd.visitors["owner"]
        for name, ending in endings.items():
            person = await _open(crowd, work, "disabled" if "disabled" in name else "owner", **ending)
            crowd.visitors[name] = crowd.people[name] = person
    crowd.visitors["nobody"] = crowd.people["nobody"]


async def _open(crowd: Crowd, work: Work, name: str, **ending: Any) -> Person:
    user_id = crowd.people[name].user_id
    opened = await open_session(
        crowd.door.platform, work, user_id=user_id, method="password", device="test", address="203.0.113.9"
    )
    for column, value in ending.items():
        setattr(opened.session, column, value)
    return Person(crowd.door.http, user_id, opened.value)


async def _disable(door: Door, person: Person) -> None:
    """Only the user: whatever is left of its keys and sessions is of no use."""
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(User).where(User.id == person.user_id).values(disabled_at=utc_now()))


async def _forget_uses(door: Door) -> None:
    """Keys were just used, so that no use is noted beside the tries."""
    await door.app.state.use_notes.close()
    async with door.platform.database.transaction() as work:
        await work.session.execute(update(ApiKey).values(last_used_at=utc_now() + timedelta(hours=1)))


async def _add_provider(platform: Platform, work: Work) -> str:
    issuer = "http://127.0.0.1:9"
    provider = IdentityProvider(
        id=new_id("idp"), name=f"p{next(_numbers)}", title="P", kind="oidc", issuer=issuer, client_id="a"
    )
    provider.client_secret = platform.secrets.seal("b", context=client_secret_context(provider))
    work.session.add(provider)
    await work.session.flush()
    return provider.id


def _platform_connection(door: Door, connection_id: str, *, project_id: str) -> Connection:
    connection = Connection(id=connection_id, project_id=project_id, kind="github", host="127.0.0.1:9", secret=b"")
    connection.secret = door.platform.secrets.seal("token", context=connection_context(connection))
    return connection


def _release(door: Door, release_id: str, workload_id: str) -> Release:
    return Release(
        id=release_id,
        workload_id=workload_id,
        number=1,
        deployment_id="",
        image="app:1",
        image_digest=_DIGEST,
        run={},
        variables=door.platform.secrets.seal(b"{}", context=f"release:{release_id}"),
    )


def _run_facts(ids: dict[str, str]) -> dict[str, Any]:
    place = {name: ids[name] for name in ("project_id", "service_id")}
    return {**place, "scheduled_at": utc_now(), "trigger": "manual"}


def _deployment(workload_id: str, bundle_digest: str, **ids: str) -> Deployment:
    return Deployment(
        id=new_id("dep"),
        number=1,
        workload_id=workload_id,
        trigger="api",
        source_type="upload",
        status="success",
        bundle_digest=bundle_digest,
        **ids,
    )
