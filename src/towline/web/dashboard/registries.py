"""Pages of registry credentials, of a project or the instance."""

from towline.errors import NotFound
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.fields import Fields, text
from towline.web.dashboard.instance import check_administers, instance_view
from towline.web.dashboard.places import ask_project, page_query, project_view


async def show_registries(visit: Visit) -> View:
    """Registries that images are pulled from with a password."""
    name = visit.path.get("project")
    listed = wanting("registries.list", query={**page_query(visit), "project": name})
    if name is None:
        check_administers(visit)
        (found,) = await visit.ask_all(listed)
        values = {"project": None, "head": "instance_head.html", **_values(visit, found)}
        return instance_view(visit, "registries.html", "Registries", values)
    project, (found,) = await ask_project(visit, listed)
    values = {"head": "project_head.html", **_values(visit, found)}
    return project_view(visit, project, "registries.html", "Registries", values)


async def create_registry(visit: Visit, fields: Fields) -> str:
    """Store credentials."""
    body: Json = {name: text(fields, name) for name in ("host", "username")}
    body["password"] = fields.get("password", "")
    if project := visit.path.get("project"):
        body["project"] = project
    await visit.ask("registries.create", body=body)
    return _page(visit)


async def delete_registry(visit: Visit, fields: Fields) -> str:
    """Delete credentials."""
    name = text(fields, "registry")
    if not name:
        raise NotFound("There are no such registry credentials, or you may not see them.")
    await visit.ask("registries.delete", registry=name)
    return _page(visit)


def _values(visit: Visit, found: Json) -> Json:
    return {"registries": found["items"], "next_cursor": found["next_cursor"], "base": _page(visit)}


def _page(visit: Visit) -> str:
    name = visit.path.get("project")
    return (f"/projects/{name}" if name else "/instance") + "/registries"
