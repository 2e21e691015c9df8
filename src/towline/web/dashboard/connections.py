"""Pages of connections to git platforms, of a project or the instance, and of what one reaches."""

from collections.abc import Sequence
from typing import Final

from towline.errors import NotFound, TowlineError
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.fields import Fields, text
from towline.web.dashboard.instance import check_administers, instance_view
from towline.web.dashboard.places import ask_project, page_query, project_view

_PLATFORMS: Final = {"github": "GitHub", "gitlab": "GitLab", "gitea": "Gitea or Forgejo", "bitbucket": "Bitbucket"}
_NONE: Final = "There is no such connection, or you may not see it."


async def show_connections(visit: Visit) -> View:
    """Credentials for git platforms."""
    name = visit.path.get("project")
    listed = wanting("connections.list", query={**page_query(visit), "project": name})
    if name is None:
        check_administers(visit)
        (found,) = await visit.ask_all(listed)
        values = {"project": None, "head": "instance_head.html", **_values(visit, found)}
        return instance_view(visit, "connections.html", "Git platforms", values)
    project, (found,) = await ask_project(visit, listed)
    values = {"head": "project_head.html", **_values(visit, found)}
    return project_view(visit, project, "connections.html", "Git platforms", values)


async def create_connection(visit: Visit, fields: Fields) -> str:
    """Keep a token, or the private key of an App."""
    body: Json = {name: text(fields, name) for name in ("platform", "owner", "username", "app_id", "api_url")}
    body |= {"host": text(fields, "host") or None, "secret": fields.get("secret", "")}
    if project := visit.path.get("project"):
        body["project"] = project
    await visit.ask("connections.create", body=body)
    return _page(visit)


async def delete_connection(visit: Visit, fields: Fields) -> str:
    """Forget a credential."""
    name = text(fields, "connection")
    if not name:
        raise NotFound(_NONE)
    await visit.ask("connections.delete", connection=name)
    return _page(visit)


async def show_repositories(visit: Visit) -> View:
    """What a connection reaches, to connect one of it; why the platform does not say, where it does not."""
    name, wanted = visit.path["project"], visit.path["connection"]
    project, (listed, hooks) = await ask_project(
        visit,
        wanting("connections.list", query={"project": name, "limit": 200}),
        wanting("hooks.list", project=name),
    )
    connection = next((item for item in listed["items"] if item["id"] == wanted), None)
    if connection is None:
        raise NotFound(_NONE)
    found, problem = await _reached(visit)
    values = {
        "connection": connection,
        "repositories": found["items"],
        "next_cursor": found["next_cursor"],
        "problem": problem,
        "connected": _connected(hooks["items"], connection["host"]),
        "platforms": _PLATFORMS,
    }
    return project_view(visit, project, "connection.html", connection["host"], values)


async def _reached(visit: Visit) -> tuple[Json, TowlineError | None]:
    cursor = visit.request.query_params.get("cursor")
    try:
        return await visit.ask_here("connections.listRepositories", query={"cursor": cursor}), None
    except TowlineError as error:
        if error.status in {401, 403, 404}:
            raise
        return {"items": [], "next_cursor": None}, error


def _connected(hooks: Sequence[Json], host: str) -> set[str]:
    """Names at the platform of what the project has connected already."""
    addresses = [str(hook["repository"]).lower() for hook in hooks]
    return {address.removeprefix(f"{host}/") for address in addresses if address.startswith(f"{host}/")}


def _values(visit: Visit, found: Json) -> Json:
    return {
        "connections": found["items"],
        "next_cursor": found["next_cursor"],
        "base": _page(visit),
        "platforms": _PLATFORMS,
    }


def _page(visit: Visit) -> str:
    name = visit.path.get("project")
    return (f"/projects/{name}" if name else "/instance") + "/connections"
