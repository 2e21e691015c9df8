"""People at browsers before the dashboard of a world that has something of everything."""

from dataclasses import dataclass, field

from fastapi import FastAPI
from tests.stand_ins import World, make_world
from tests.web.browser import Browser
from tests.web.door import Door

from towline.actions.sessions import open_session
from towline.models.accounts import User
from towline.models.projects import ProjectCollaborator
from towline.names import new_id


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
    scene = Scene(door, await make_world(door.platform), {"nobody": Browser(door.app)})
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
    }
    return scene
