"""Pages of projects: all of them, one with its services, and new ones."""

from collections.abc import Mapping
from typing import Any, Final

from towline.actions.access import Permission
from towline.actions.installation import platform_url
from towline.contract.base import DEFAULT_ENVIRONMENT
from towline.errors import TowlineError
from towline.infra.example import EXAMPLE
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.drawing import phone_graph, service_graph
from towline.web.dashboard.fields import Fields, check_typed, source, text
from towline.web.deps import get_platform

_CARDS: Final = 24
_FEW: Final = 1
_SOURCES: Final = ("git", "image", "upload")


async def show_home(visit: Visit) -> View:
    """Every project with its health, last deployment and hosts; without any, how to begin."""
    cursor = visit.request.query_params.get("cursor")
    page = await visit.ask("projects.listSummaries", query={"limit": _CARDS, "cursor": cursor})
    own = [card for card in page["items"] if card["project"]["name"] != EXAMPLE]
    is_first = len(own) <= _FEW and not cursor and visit.may(Permission.ADMINISTER)
    asked = visit.request.query_params.get("source", "")
    values = {
        "domain": await visit.ask("platform.checkDomain") if is_first else None,
        "can_move": get_platform(visit.request).settings.supervisor > 0,
        "source": asked if asked in _SOURCES else _SOURCES[0],
        "own": own,
        "cards": page["items"],
        "next_cursor": page["next_cursor"],
        "url": platform_url(get_platform(visit.request)),
        "can_create": visit.may(Permission.CREATE_PROJECTS),
    }
    rooms = tuple(f"project:{card['project']['id']}" for card in page["items"])
    return View("home.html", "Projects", values, rooms)


async def show_project(visit: Visit) -> View:
    """A project: its services as a graph and as a list, its environments, its last deployments."""
    name = visit.path["project"]
    project, services, environments, graph = await visit.ask_all(
        wanting("projects.get", project=name),
        wanting("services.listByProject", project=name, query={"limit": 200}),
        wanting("environments.list", project=name, query={"limit": 200}),
        wanting("dependencies.list", project=name),
    )
    names = [item["name"] for item in environments["items"]]
    environment = visit.request.query_params.get("environment", DEFAULT_ENVIRONMENT)
    environment = environment if environment in names else DEFAULT_ENVIRONMENT
    of_it: Mapping[str, str | int | None] = {"project": name, "environment": environment, "limit": 10}
    deployments, groups = await visit.ask_all(
        wanting("deployments.list", query=of_it),
        wanting("groups.list", project=name, query={"environment": environment, "limit": 5}),
    )
    statuses = await _statuses(visit, project, services["items"], environment)
    values = {
        "project": project,
        "services": [
            {**service, "now": statuses[service["name"]]}
            for service in services["items"]
            if service["name"] in statuses  # else it was made between the two answers
        ],
        "graph": service_graph(graph["levels"], graph["dependencies"]),
        "types": {service["name"]: service["type"] for service in services["items"]},
        "phone_graph": phone_graph(graph["levels"], graph["dependencies"]),
        "statuses": statuses,
        "needs": _needs(graph["dependencies"]),
        "environments": environments["items"],
        "environment": environment,
        "deployments": deployments["items"],
        "groups": groups["items"],
        **permissions(visit, project),
    }
    return View("project.html", project["name"], values, (f"project:{project['id']}",), project["name"])


async def show_project_settings(visit: Visit) -> View:
    """What can be changed of a project, environments and deletion included."""
    name = visit.path["project"]
    project, environments = await visit.ask_all(
        wanting("projects.get", project=name), wanting("environments.list", project=name, query={"limit": 200})
    )
    values = {"project": project, "environments": environments["items"], **permissions(visit, project)}
    title = f"Settings of {project['name']}"
    return View("project_settings.html", title, values, (f"project:{project['id']}",), project["name"])


async def show_group(visit: Visit) -> View:
    """Deployments that switch together."""
    name = visit.path["project"]
    project, group = await visit.ask_all(
        wanting("projects.get", project=name), wanting("groups.getStatus", project=name, group=visit.path["group"])
    )
    serving = await _serving(visit, project, group["environment"])
    there = [member for member in group["members"] if member["service_id"] in serving]
    is_past = any(serving[member["service_id"]] != member["release"] for member in there)
    values = {"project": project, "group": group, "is_past": is_past, "is_there": bool(there)}
    values |= permissions(visit, project)
    title = f"Group {group['number']} of {project['name']}"
    return View("group.html", title, values, (f"project:{project['id']}",), project["name"])


async def show_groups(visit: Visit) -> View:
    """Every deployment of services together in an environment, newest first."""
    name, given = visit.path["project"], visit.request.query_params
    environment = given.get("environment", DEFAULT_ENVIRONMENT)
    query = {"environment": environment, "limit": 50, "cursor": given.get("cursor")}
    project, groups = await visit.ask_all(
        wanting("projects.get", project=name), wanting("groups.list", project=name, query=query)
    )
    values = {"groups": groups["items"], "next_cursor": groups["next_cursor"], "environment": environment}
    values |= {"project": project, **permissions(visit, project)}
    title = f"Deployed together in {project['name']}"
    return View("groups.html", title, values, (f"project:{project['id']}",), project["name"])


async def create_and_deploy(visit: Visit, fields: Fields) -> str:
    """A new service, in a project of that name that is there or made for it, and its first deployment."""
    name = text(fields, "project")
    try:
        await visit.ask("projects.get", project=name)
    except TowlineError as error:
        if error.status != 404:
            raise
        await visit.ask("projects.create", body={"name": name})
    return await _create_service(visit, name, fields)


async def create_example(visit: Visit, _: Fields) -> str:
    """The example, deployed."""
    deployment = await visit.ask("projects.createExample")
    return f"/deployments/{deployment['id']}"


async def create_service(visit: Visit, fields: Fields) -> str:
    """A new service in a project, and its first deployment."""
    return await _create_service(visit, visit.path["project"], fields)


async def deploy_project(visit: Visit, fields: Fields) -> str:
    """All services of a project together."""
    name = visit.path["project"]
    body = {"environment": text(fields, "environment") or DEFAULT_ENVIRONMENT}
    group = await visit.ask("projects.deploy", project=name, body=body)
    return f"/projects/{name}/groups/{group['id']}"


async def cancel_group(visit: Visit, _: Fields) -> str:
    """Cancel all of a group."""
    await visit.ask_here("groups.cancel")
    return f"/projects/{visit.path['project']}/groups/{visit.path['group']}"


async def roll_back_group(visit: Visit, fields: Fields) -> str:
    """Roll back to what a group made."""
    name = visit.path["project"]
    body = {"environment": text(fields, "environment"), "group": visit.path["group"]}
    group = await visit.ask("groups.rollback", project=name, body=body)
    return f"/projects/{name}/groups/{group['id']}"


async def update_project(visit: Visit, fields: Fields) -> str:
    """Rename or describe a project."""
    body: Json = {"name": text(fields, "name"), "description": text(fields, "description")}
    if domain := text(fields, "base_domain"):
        body["base_domain"] = domain
    project = await visit.ask("projects.update", project=visit.path["project"], body=body)
    return f"/projects/{project['name']}/settings"


async def delete_project(visit: Visit, fields: Fields) -> str:
    """Delete a project whose name was typed."""
    project = await visit.ask("projects.get", project=visit.path["project"])
    check_typed(fields, project["name"])
    await visit.ask("projects.delete", project=project["id"])
    return "/"


async def create_environment(visit: Visit, fields: Fields) -> str:
    """A new environment."""
    name = visit.path["project"]
    made = await visit.ask("environments.create", project=name, body={"name": text(fields, "name")})
    return f"/projects/{name}?environment={made['name']}"


async def delete_environment(visit: Visit, fields: Fields) -> str:
    """Delete an environment whose name was typed."""
    check_typed(fields, visit.path["environment"])
    await visit.ask_here("environments.delete")
    return f"/projects/{visit.path['project']}/settings"


def permissions(visit: Visit, project: Json) -> dict[str, Any]:
    """Which controls of a project are shown."""
    role = project["role"]
    return {
        "can_deploy": visit.may(Permission.DEPLOY, role),
        "can_preview": visit.may(Permission.CREATE_PREVIEWS, role),
        "can_manage": visit.may(Permission.MANAGE_SERVICES, role),
        "can_own": visit.may(Permission.MANAGE_PROJECT, role),
        "can_invite": visit.may(Permission.MANAGE_COLLABORATORS, role),
    }


async def _statuses(visit: Visit, project: Json, services: list[Json], environment: str) -> dict[str, Json]:
    """What runs of each service in an environment."""
    found = await visit.ask("services.listStatuses", project=project["id"], query={"environment": environment})
    statuses = {status["service_id"]: status for status in found["items"]}
    return {service["name"]: statuses[service["id"]] for service in services if service["id"] in statuses}


async def _serving(visit: Visit, project: Json, environment: str) -> dict[str, int | None]:
    """The release that serves, by id of its service; of none where the environment is gone."""
    try:
        found = await visit.ask("services.listStatuses", project=project["id"], query={"environment": environment})
    except TowlineError as error:
        if error.status != 404:
            raise
        return {}
    return {status["service_id"]: status["release"] for status in found["items"]}


async def _create_service(visit: Visit, project: str, fields: Fields) -> str:
    """Where to go on: to its first deployment, or to where its files are sent."""
    body: Json = {"name": text(fields, "service"), "type": text(fields, "type") or "web", "source": source(fields)}
    if body["type"] == "cron":
        body["schedule"] = text(fields, "schedule")
    made = await visit.ask("services.create", project=project, body=body)
    if body["source"]["type"] == "upload":
        return f"/projects/{project}/services/{made['name']}/deploy"
    deployment = await visit.ask("services.deploy", project=project, service=made["name"], body={})
    return f"/deployments/{deployment['id']}"


def _needs(dependencies: list[Json]) -> dict[str, list[str]]:
    needs: dict[str, list[str]] = {}
    for one in dependencies:
        needs.setdefault(one["service"], []).append(one["depends_on"])
    return needs
