"""People at browsers before the dashboard of a world that has something of everything."""

from dataclasses import dataclass, field

from fastapi import FastAPI
from sqlalchemy import select
from tests.stand_ins import World, make_world
from tests.web.browser import Browser
from tests.web.door import Door

from towline.actions.access import Caller
from towline.actions.connections.administration import NewConnection, create_connection
from towline.actions.environments import add_environment
from towline.actions.hooks.administration import create_hook
from towline.actions.notifications.channels import WantedChannel, create_channel
from towline.actions.sessions import open_session
from towline.infra.database import Work
from towline.models.accounts import User
from towline.models.backups import Backup, Restore
from towline.models.base import utc_now
from towline.models.hooks import HookDelivery
from towline.models.identities import IdentityProvider
from towline.models.previews import Preview
from towline.models.projects import ProjectCollaborator
from towline.models.runs import CronRun
from towline.models.services import Workload
from towline.names import new_id
from towline.values import EnvironmentKind

_CHANNELS = {"channel": False, "instance_channel": True}
_WHERE = {"service_name": "web", "environment_name": "production", "trigger": "manual"}


@dataclass
class Scene:
    """A world with a finished deployment and a group, and browsers of its people by their role."""

    door: Door
    world: World
    people: dict[str, Browser] = field(default_factory=dict[str, Browser])
    values: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def app(self) -> FastAPI:
        """The application."""
        return self.door.app

    async def add(self, name: str, *, role: str = "", is_administrator: bool = False) -> Browser:
        """Somebody new, signed in."""
        user_id = new_id("usr")
        async with self.door.platform.database.transaction() as work:
            user = User(id=user_id, email=f"{name}@example.com", name=name, is_administrator=is_administrator)
            work.session.add(user)
            await work.session.flush()
            if role:
                work.session.add(ProjectCollaborator(project_id=self.world.project.id, user_id=user_id, role=role))
        self.people[name] = await self.browser_of(user_id)
        return self.people[name]

    async def browser_of(self, user_id: str) -> Browser:
        """A browser in which a user is signed in."""
        async with self.door.platform.database.transaction() as work:
            opened = await open_session(
                self.door.platform, work, user_id=user_id, method="password", device="test", address=""
            )
        browser = Browser(self.app)
        browser.http.cookies.set("towline_session", opened.value)
        return browser


async def make_scene(door: Door) -> Scene:
    """A scene with a nobody, a stranger, one of each role, and an administrator."""
    world = await make_world(door.platform, source_config={"image": "app:1"})
    scene = Scene(door, world, {"nobody": Browser(door.app)})
    deployment = await scene.world.deploy_successfully()
    await scene.add("stranger")
    for role in ("viewer", "developer", "admin"):
        await scene.add(role, role=role)
    scene.people["owner"] = await scene.browser_of(scene.world.user.id)
    await scene.add("root", is_administrator=True)
    wanted = {"services": [{"service": scene.world.service.name, "image": "app:2"}]}
    group = await scene.people["owner"].call("POST", f"/projects/{scene.world.project.name}/deploy", json=wanted)
    scene.values = {
        "project": scene.world.project.name,
        "service": scene.world.service.name,
        "deployment": deployment.id,
        "group": group.json()["id"],
        "environment": "staging",
        "template": "postgresql",
    }
    await _add_more(scene)
    return scene


async def _add_more(scene: Scene) -> None:
    """A repository that told something, a run, a backup and its restore, channels, a provider."""
    platform, world = scene.door.platform, scene.world
    async with platform.database.transaction() as work:
        workload = (await work.session.scalars(select(Workload))).one()
        ids = {"project_id": world.project.id, "service_id": world.service.id, "workload_id": workload.id}
        hook = await create_hook(
            platform, work, world.project, source_type="github", address="https://github.com/a/b", rules=()
        )
        told = HookDelivery(id=new_id("dlv"), hook_id=hook.hook.id, delivery_key="1", kind="ping", status="done")
        run = CronRun(id=new_id("run"), status="success", trigger="schedule", scheduled_at=utc_now(), **ids)
        backup = Backup(
            id=new_id("bkp"), kind="snapshot", volume="data", status="failed", error="Full.", **_WHERE, **ids
        )
        backup.environment_id = world.environment.id
        work.session.add_all([told, run, backup])
        await work.session.flush()
        facts = {"kind": "volume", "volume": "data", "status": "failed", "service_name": world.service.name}
        restore = Restore(id=new_id("rst"), backup_id=backup.id, environment_id=world.environment.id, **facts, **ids)
        provider = IdentityProvider(id=new_id("idp"), name="company", kind="oidc", title="Company", client_id="id")
        provider.issuer, provider.client_secret = "http://127.0.0.1:9", b""
        work.session.add_all([restore, provider])
        preview_id = await _preview(scene, work)
        connection = await _connection(scene, work)
        channels = {name: await _channel(scene, work, of) for name, of in _CHANNELS.items()}
    scene.values |= {"hook": hook.hook.id, "delivery": told.id, "run": run.id, "backup": backup.id}
    scene.values |= {"restore": restore.id, "provider": provider.name, "preview": preview_id, **channels}
    scene.values["connection"] = connection


async def _connection(scene: Scene, work: Work) -> str:
    """A connection whose platform is where only an administrator's may lead."""
    new = NewConnection("github", "a", api_url="https://127.0.0.1:9")
    project_id, caller = scene.world.project.id, Caller(scene.world.user.id)
    return (await create_connection(scene.door.platform, work, caller, project_id=project_id, new=new)).id


async def _preview(scene: Scene, work: Work) -> str:
    """A preview that was never deployed."""
    world = scene.world
    environment = await add_environment(work, world.project.id, "try", kind=EnvironmentKind.PREVIEW)
    facts = {"project_id": world.project.id, "base_environment_id": world.environment.id, "origin": "custom"}
    preview = Preview(id=new_id("prv"), environment_id=environment.id, service_ids=[world.service.id], **facts)
    work.session.add(preview)
    await work.session.flush()
    return preview.id


async def _channel(scene: Scene, work: Work, is_of_instance: bool) -> str:
    kinds: dict[str, list[str]] = {"events": ["health.down"], "environments": ["production"]}
    wanted = WantedChannel(name="on call", kind="email", address="kim@example.com", allows_local=False, **kinds)
    project_id = None if is_of_instance else scene.world.project.id
    return (await create_channel(scene.door.platform, work, project_id=project_id, wanted=wanted)).channel.id
