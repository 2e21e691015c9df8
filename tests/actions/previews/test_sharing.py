"""What a preview shares with its base: reached by the same names, and never deployed there."""

from typing import Any

from sqlalchemy import update
from tests.actions.groups.stack import Stack
from tests.actions.previews.scene import Scene

from towline.actions.configuration.places import Place
from towline.actions.configuration.resolving import Target, resolve_variables
from towline.actions.configuration.settings import WantedVariable, set_variables
from towline.actions.previews.keeping import look_after_previews
from towline.models.previews import Preview
from towline.models.projects import Project
from towline.models.services import Service
from towline.orchestrators.memory.orchestrator import MemoryOrchestrator
from towline.values import EnvironmentKind


async def _set(stack: Stack, *variables: WantedVariable, service: str = "") -> None:
    async with stack.platform.database.transaction() as work:
        project = await work.session.get_one(Project, stack.world.project.id)
        place = Place(project, stack.services[service] if service else None)
        await set_variables(stack.platform, work, place, variables, caller=stack.caller)


async def _resolved(stack: Stack, preview: Preview, name: str) -> dict[str, str]:
    environment = await Scene(stack).environment(preview)
    async with stack.platform.database.transaction() as work:
        project = await work.session.get_one(Project, preview.project_id)
        service = await work.session.get_one(Service, stack.services[name].id)
        found = await resolve_variables(stack.platform, work, Target(project, service, environment))
    return {name: variable.value for name, variable in found.items()}


async def test_a_shared_service_is_that_of_the_base_under_every_name(stack: Stack) -> None:
    scene, engine = Scene(stack), stack.platform.orchestrator
    assert isinstance(engine, MemoryOrchestrator)
    await stack.deploy({name: f"{name}:1" for name in stack.services})
    text = "${{ services.api.url }} ${{ services.api.internal_url }} ${{ services.store.host }}"
    await _set(stack, WantedVariable("PLACES", text, is_secret=False), service="web")
    base = stack.world.environment.id
    host = next(name for name in scene.routes(base) if name.startswith("api-shop."))

    preview = await scene.create(shared=["api", "store"])

    assert set(await scene.workloads(preview.environment_id)) == {"web"}
    assert (await _resolved(stack, preview, "web"))["PLACES"].split() == [
        f"http://{host}:{stack.platform.settings.http_port}".removesuffix(":80"),
        "http://api.internal",
        "store",
    ]
    environment = await scene.environment(preview)
    assert environment.subnet in scene.routes(base)["api.internal"].internal_from
    assert "api.internal" not in scene.routes(preview.environment_id)
    guests = set(engine.networks.guests[environment.network].values())
    assert guests == {("api",), ("store",)}


async def test_a_new_instance_of_the_base_is_let_in_and_guests_leave_with_the_preview(stack: Stack) -> None:
    scene, engine = Scene(stack), stack.platform.orchestrator
    assert isinstance(engine, MemoryOrchestrator)
    await stack.deploy({name: f"{name}:1" for name in stack.services})
    preview = await scene.create(shared=["api", "store"])
    network = (await scene.environment(preview)).network
    before = set(engine.networks.guests[network])
    await stack.deploy({"api": "api:2"})
    await look_after_previews(stack.platform)
    assert set(engine.networks.guests[network]) - before

    await scene.remove(preview)
    await scene.settle()

    assert network not in await engine.list_networks()
    routes = scene.routes(stack.world.environment.id)
    assert len(routes["api.internal"].internal_from) == 1


async def test_a_preview_alone_shares_what_its_service_needs(stack: Stack) -> None:
    preview = await Scene(stack).create(scope="service")
    assert preview.service_ids == [stack.services["web"].id]
    assert preview.shared == [stack.services["api"].id]


async def test_a_service_that_is_needed_since_comes_with_the_next_deployment(stack: Stack) -> None:
    scene = Scene(stack)
    preview = await scene.create(scope="graph", main="api")
    await stack.add("queue", source_config={"image": "queue:1"})
    await stack.depend("api", "queue")
    async with stack.platform.database.transaction() as work:
        project = await work.session.get_one(Project, preview.project_id)
        found = await work.session.get_one(Preview, preview.id)
        await scene.update(work, project, found)
    await stack.work()
    assert set(await scene.workloads(preview.environment_id)) == {"api", "store", "queue"}


async def test_secrets_reach_previews_only_where_that_is_said_and_forks_never(stack: Stack) -> None:
    scene, preview_kind = Scene(stack), (EnvironmentKind.PREVIEW.value,)
    await _set(
        stack,
        WantedVariable("PLAIN", "plain", is_secret=False),
        WantedVariable("FOR_PREVIEWS", "plain", is_secret=False, environment_kinds=preview_kind),
        WantedVariable("SECRET", "s3cret", is_secret=True),
        WantedVariable("MARKED", "s3cret", is_secret=True, environment_kinds=preview_kind),
    )
    preview = await scene.create()
    async with stack.platform.database.transaction() as work:
        project = await work.session.get_one(Project, preview.project_id)
        own = WantedVariable("OWN", "of previews", is_secret=True)
        await set_variables(stack.platform, work, Place(project, is_preview=True), [own], caller=stack.caller)
    assert set(await _resolved(stack, preview, "web")) == {"PLAIN", "FOR_PREVIEWS", "MARKED", "OWN"}

    async with stack.platform.database.transaction() as work:
        await work.session.execute(update(Preview).values(is_fork=True))
    assert set(await _resolved(stack, preview, "web")) == {"FOR_PREVIEWS", "OWN"}


async def test_a_fork_waits_for_the_approval_of_each_commit(stack: Stack) -> None:
    scene = Scene(stack)
    values: dict[str, Any] = {"origin": "pull_request", "number": 7, "is_fork": True, "revision": "1" * 40}
    preview = await scene.create("pr-7", **values)
    assert preview.state == "waiting"
    assert await scene.workloads(preview.environment_id) == {}

    await scene.approve(preview, "1" * 40)
    await stack.work()
    assert all(workload.release_id for workload in (await scene.workloads(preview.environment_id)).values())

    async with stack.platform.database.transaction() as work:
        project = await work.session.get_one(Project, preview.project_id)
        await scene.update(work, project, await work.session.get_one(Preview, preview.id), revision="2" * 40)
    found = await scene.find(preview)
    assert found is not None
    assert (found.state, found.approved_revision) == ("waiting", "1" * 40)
