"""One project with something of everything in it, and everyone who could knock at the door."""

import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import delete
from tests.web.door import Door, Person

from towline.actions.access import Caller
from towline.actions.configuration.places import Place
from towline.actions.configuration.settings import WantedVariable, set_variables
from towline.actions.environments import add_environment, get_environment
from towline.actions.identities.administration import client_secret_context
from towline.actions.invitations import invite_to_project
from towline.actions.platform import Platform
from towline.actions.projects import create_project
from towline.actions.webhook_secrets import rotate_secret
from towline.infra.database import Work
from towline.models.base import utc_now
from towline.models.deployments import Deployment, Registry, Release
from towline.models.groups import Group, ServiceDependency
from towline.models.identities import IdentityProvider
from towline.models.members import Invitation
from towline.models.projects import ProjectCollaborator
from towline.models.runs import CronRun
from towline.models.services import Route, Service, Workload
from towline.names import new_id
from towline.values import EnvironmentKind

PEOPLE: Final = (
    "nobody",
    "stranger",
    "viewer",
    "developer",
    "admin",
    "owner",
    "foreign",
    "root",
    "elsewhere",
    "narrow",
    "expired",
    "revoked",
)
"""In words: `foreign` owns another project; `elsewhere`, `narrow`, `expired` and `revoked` are keys of the owner: of
another project only, without any scope that an operation needs, and no longer good."""

_DIGEST: Final = "sha256:" + "2" * 64
_numbers = itertools.count(1)


@dataclass
class Crowd:
    """The people, and the ids of what there is of the project."""

    door: Door
    bundle_digest: str
    people: dict[str, Person] = field(default_factory=dict[str, Person])
    values: dict[str, str] = field(default_factory=dict[str, str])
    members: dict[str, str] = field(default_factory=dict[str, str])

    def values_for(self, person: Person) -> dict[str, str]:
        """What to put into paths and bodies for one call."""
        return {**self.values, "key": self.values.get(f"key {person.token}", "key_0"), "number": str(next(_numbers))}

    async def renew(self) -> None:
        """A fresh project with the same members, and fresh keys to revoke."""
        platform = self.door.platform
        async with platform.database.transaction() as work:
            owner = Caller(user_id=self.people["owner"].user_id)
            project = await create_project(platform, work, owner, name=f"shop-{next(_numbers)}")
            work.session.add_all(
                ProjectCollaborator(project_id=project.id, user_id=user_id, role=role)
                for role, user_id in self.members.items()
            )
            digest = f"sha256:{next(_numbers):064x}"
            self.values.update(project=project.id, digest=digest)
            self.values.update(owner=owner.user_id, member=self.members["viewer"])
            await work.session.execute(delete(Invitation))  # one person may invite only so many within a day
            made = await invite_to_project(
                platform, work, owner, project, email=f"i{next(_numbers)}@example.com", role="viewer"
            )
            self.values["invitation"] = made.invitation.id
            self.values["provider"] = await _add_provider(platform, work)
            kept = [WantedVariable("KEPT", "1", is_secret=False)]
            await set_variables(platform, work, Place(project), kept, caller=owner)
            await self._add_service(work, project)
        await self.people["owner"].post(f"/projects/{project.id}/uploads", {"digest": digest, "size": 10})
        for person in self.people.values():
            if person.user_id:
                # A key can only deal with keys that do no more than itself, so this one can do very little.
                made = await self.door.make_key(person.user_id, **self._limits(person))
                self.values[f"key {person.token}"] = made.id

    def _limits(self, person: Person) -> dict[str, Any]:
        elsewhere = self.people["elsewhere"]
        project_id = self.values["elsewhere"] if person is elsewhere else None
        return {"scopes": ["create_previews"], "project_id": project_id}

    async def _add_service(self, work: Work, project: Any) -> None:
        await add_environment(work, project.id, "staging", kind=EnvironmentKind.STAGING)
        production = await get_environment(work, project.id, "production")
        service_id, workload_id, release_id = new_id("svc"), new_id("wkl"), new_id("rel")
        ids = {"project_id": project.id, "service_id": service_id, "environment_id": production.id}
        route_id, registry_id = new_id("rou"), new_id("reg")
        rows: list[list[Any]] = [
            [
                Service(id=service_id, project_id=project.id, name="api", type="web", source_type="upload"),
                Registry(id=registry_id, project_id=project.id, host="r.example.com", username="a", password=b""),
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
        run = CronRun(id=new_id("run"), workload_id=workload_id, status="success", **_run_facts(ids))
        work.session.add(run)
        self.values["run"] = run.id
        secret = await rotate_secret(self.door.platform, work, service_id, overlap=timedelta())
        self.values.update(service=service_id, route=route_id, registry=registry_id, deployment=rows[2][2].id)
        self.values["secret"] = secret.secret.id

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
    """Everyone, before a fresh project."""
    tree = Path(door.platform.settings.data_dir) / "tree"
    tree.mkdir()
    (tree / "index.html").write_text("hello")
    digest, _ = await door.platform.storage.store_tree(tree)
    crowd = Crowd(door, digest)
    people = {
        name: await door.add_person() for name in ("stranger", "viewer", "developer", "admin", "owner", "foreign")
    }
    root = await door.add_person(is_administrator=True)
    owner_id = people["owner"].user_id
    theirs = await people["foreign"].post("/projects", {"name": "theirs"})
    assert theirs["role"] == "owner"
    other = await people["owner"].post("/projects", {"name": "other"})
    keys = {
        "elsewhere": await door.add_key(owner_id, project_id=other["id"]),
        "narrow": await door.add_key(owner_id, scopes=["create_previews"]),
        "expired": await door.add_key(owner_id, expires_at=utc_now() - timedelta(seconds=1)),
        "revoked": await door.add_key(owner_id, is_revoked=True),
    }
    everyone = {"nobody": door.nobody(), **people, "root": root, **keys}
    crowd.people = {name: everyone[name] for name in PEOPLE}
    crowd.members = {role: people[role].user_id for role in ("viewer", "developer", "admin")}
    crowd.values["elsewhere"] = other["id"]
    await crowd.renew()
    return crowd


async def _add_provider(platform: Platform, work: Work) -> str:
    issuer = "http://127.0.0.1:9"
    provider = IdentityProvider(
        id=new_id("idp"), name=f"p{next(_numbers)}", title="P", kind="oidc", issuer=issuer, client_id="a"
    )
    provider.client_secret = platform.secrets.seal("b", context=client_secret_context(provider))
    work.session.add(provider)
    await work.session.flush()
    return provider.id


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
