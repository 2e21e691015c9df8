"""Pages of the project file: what exists as a file, what another one would change, and doing exactly that."""

from typing import Final

from towline.contract.base import DEFAULT_ENVIRONMENT
from towline.contract.project_file_text import parse_project_file
from towline.errors import TowlineError
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.fields import Fields, text
from towline.web.dashboard.places import ask_project, project_view
from towline.web.dashboard.projects import permissions

_EMPTY: Final[Json] = {"given": None, "plan": None, "problem": None}


async def show_file(visit: Visit) -> View:
    """The file of what exists, and a place to paste another."""
    project, (environments,) = await ask_project(
        visit, wanting("environments.list", project=visit.path["project"], query={"limit": 200})
    )
    values = {**_EMPTY, "environments": [item["name"] for item in environments["items"]]}
    values |= {"exported": None, "environment": DEFAULT_ENVIRONMENT, "deletes": False}
    if permissions(visit, project)["can_manage"]:
        values["exported"] = await visit.ask_here("projectFiles.export")
    return project_view(visit, project, "project_file.html", "Project file", values)


async def plan(visit: Visit, fields: Fields) -> View:
    """What a pasted file would change; nothing is done."""
    view = await show_file(visit)
    given = fields.get("file", "").replace("\r\n", "\n")
    chosen = {"given": given, "environment": _environment(fields), "deletes": fields.get("deletes") == "on"}
    try:
        found = {"plan": await visit.ask("projectFiles.plan", body=_wanted(visit, fields))}
    except TowlineError as error:
        if error.status in {403, 404}:
            raise
        found = {"problem": error}
    values = {**view.values, **chosen, **found}
    return View(view.template, view.title, values, view.rooms, view.project, 422 if values["problem"] else 200)


async def apply(visit: Visit, fields: Fields) -> str:
    """Carry out exactly the plan that was shown, or refuse when the project has changed since."""
    body = {**_wanted(visit, fields), "fingerprint": text(fields, "fingerprint")}
    applied = await visit.ask("projectFiles.apply", body=body)
    name = visit.path["project"]
    return f"/projects/{name}" + (f"/groups/{applied['group']}" if applied["group"] else "")


def _wanted(visit: Visit, fields: Fields) -> Json:
    """The pasted file as a request; it is always for the project of the page, whatever name it bears."""
    file = parse_project_file(fields.get("file", ""), where="the file")
    file = file.model_copy(update={"project": visit.path["project"]})
    return {
        "file": file.model_dump(mode="json", by_alias=True, exclude_unset=True),
        "environment": _environment(fields),
        "deletes": fields.get("deletes") == "on",
    }


def _environment(fields: Fields) -> str:
    return text(fields, "environment") or DEFAULT_ENVIRONMENT
