"""Pages of variables beyond one service's own: a project's, the instance's, comparison, and `.env` files."""

from typing import Any

from towline.errors import TowlineError
from towline.project_files.dotenv import read_lines, write_line
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.fields import Fields, text
from towline.web.dashboard.instance import check_administers, instance_view
from towline.web.dashboard.places import ask_project, chosen, page_query, project_view
from towline.web.dashboard.projects import permissions
from towline.web.dashboard.service_forms import service_page
from towline.web.dashboard.services import Place


async def show_project_variables(visit: Visit) -> View:
    """Variables of every service of a project, and those of its previews."""
    project, _ = await ask_project(visit)
    values: Json = {"variables": [], "preview_variables": [], "changes": [], "stale": [], "next_cursor": None}
    if permissions(visit, project)["can_deploy"]:
        name = project["id"]
        own, previews, history, stale = await visit.ask_all(
            wanting("variables.list", project=name),
            wanting("variables.list", project=name, query={"previews": "true"}),
            wanting("variables.history", project=name, query=page_query(visit, 20)),
            wanting("variables.stale", project=name),
        )
        values = {
            "variables": [item for item in own["items"] if item["level"] == "project"],
            "preview_variables": previews["items"],
            "changes": history["items"],
            "next_cursor": history["next_cursor"],
            "stale": stale["items"],
        }
    values |= {"base": f"/projects/{project['name']}", "head": "project_head.html", "of": "project"}
    return project_view(visit, project, "variables.html", "Variables", values)


async def set_project_variable(visit: Visit, fields: Fields) -> str:
    """Set a variable of a project, or of its previews."""
    body = {"previews": fields.get("previews") == "on", "variables": [variable_of(fields)]}
    await visit.ask_here("variables.set", body=body)
    return f"/projects/{visit.path['project']}/variables"


async def delete_project_variable(visit: Visit, fields: Fields) -> str:
    """Delete a variable of a project, or of its previews."""
    query = {"previews": "true"} if fields.get("previews") == "on" else {}
    await visit.ask_here("variables.delete", name=text(fields, "name"), query=query)
    return f"/projects/{visit.path['project']}/variables"


async def undo_project_variable(visit: Visit, fields: Fields) -> str:
    """Take a change back."""
    await visit.ask_here("variables.undo", change=text(fields, "change"))
    return f"/projects/{visit.path['project']}/variables"


async def show_global_variables(visit: Visit) -> View:
    """Variables of every project."""
    check_administers(visit)
    own, history = await visit.ask_all(
        wanting("globalVariables.list"), wanting("globalVariables.history", query=page_query(visit, 20))
    )
    values: Json = {
        "variables": own["items"],
        "preview_variables": [],
        "changes": history["items"],
        "next_cursor": history["next_cursor"],
        "stale": [],
        "base": "/instance",
        "head": "instance_head.html",
        "of": "instance",
        "project": None,
        "can_manage": True,
        "can_deploy": True,
    }
    return instance_view(visit, "variables.html", "Variables", values)


async def set_global_variable(visit: Visit, fields: Fields) -> str:
    """Set a variable of every project."""
    await visit.ask("globalVariables.set", body={"variables": [variable_of(fields)]})
    return "/instance/variables"


async def delete_global_variable(visit: Visit, fields: Fields) -> str:
    """Delete a variable of every project."""
    await visit.ask("globalVariables.delete", name=text(fields, "name"))
    return "/instance/variables"


async def undo_global_variable(visit: Visit, fields: Fields) -> str:
    """Take a change back."""
    await visit.ask("globalVariables.undo", change=text(fields, "change"))
    return "/instance/variables"


async def show_comparison(visit: Visit) -> View:
    """How variables of a service differ between two environments or releases."""
    place, given = await Place.of(visit), visit.request.query_params
    values: Json = {"differences": None, "problem": None, "releases": []}
    values["chosen"] = {name: given.get(name, "")[:64] for name in ("to_environment", "release", "to_release")}
    if place.can["can_deploy"]:
        releases = await visit.send(place.wanting("releases.list", limit=50))
        values["releases"] = [release["number"] for release in releases["items"]]
        values |= await _compare(visit, place, {name: value for name, value in values["chosen"].items() if value})
    return place.view("service_compare.html", "variables", values)


async def show_dotenv(visit: Visit) -> View:
    """A service's own variables as lines of a `.env` file, and a place to paste such lines."""
    place = await Place.of(visit)
    lines: list[str] = []
    secrets: list[str] = []
    if place.can["can_deploy"]:
        query = {"service": place.service["id"]}
        found = await visit.ask("variables.list", project=place.project["id"], query=query)
        own = [item for item in found["items"] if item["level"] == "service" and not item["mount_path"]]
        lines = [write_line(item["name"], item["value"]) for item in own if not item["is_secret"]]
        secrets = [item["name"] for item in own if item["is_secret"]]
    return place.view("service_dotenv.html", "variables", {"lines": "\n".join(lines), "secrets": secrets})


async def import_dotenv(visit: Visit, fields: Fields) -> str:
    """Set every variable of the pasted lines."""
    pasted = fields.get("lines", "").replace("\r\n", "\n").split("\n")
    is_secret = fields.get("is_secret") == "on"
    variables = [
        {"name": name, "value": value, "is_secret": is_secret}
        for name, value in read_lines(pasted, where="what was pasted")
    ]
    body = {"service": visit.path["service"], "variables": variables}
    await visit.ask("variables.set", project=visit.path["project"], body=body)
    return service_page(visit, fields, "/variables")


def variable_of(fields: Fields) -> Json:
    """The variable that a form describes."""
    variable: Json = {
        "name": text(fields, "name"),
        "value": fields.get("value", "").replace("\r\n", "\n"),
        "is_secret": fields.get("is_secret") == "on",
        "environment_kinds": chosen(fields, "kind"),
    }
    if path := text(fields, "mount_path"):
        variable["mount_path"] = path
    return variable


async def _compare(visit: Visit, place: Place, asked: dict[str, Any]) -> Json:
    """What differs, or why that cannot be said; nothing when nothing was asked."""
    if not asked:
        return {}
    try:
        query = {"service": place.service["id"], "environment": place.environment, **asked}
        found = await visit.ask("variables.compare", project=place.project["id"], query=query)
    except TowlineError as error:
        return {"problem": error}
    return {"differences": found["items"]}
