"""Pages of a project: what all of them have, and the page around what differs."""

from typing import Any

from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Ask, Json, Visit, wanting
from towline.web.dashboard.projects import permissions


async def ask_project(visit: Visit, *asks: Ask) -> tuple[Json, list[Json]]:
    """The project that the address names, and the answers of other operations that only read."""
    project, *answers = await visit.ask_all(wanting("projects.get", project=visit.path["project"]), *asks)
    return project, answers


def project_view(visit: Visit, project: Json, template: str, title: str, values: dict[str, Any]) -> View:
    """A page of a project, renewed by what happens in it."""
    shared = {"project": project, **permissions(visit, project)}
    rooms = (f"project:{project['id']}",)
    return View(template, f"{title} · {project['name']}", {**shared, **values}, rooms, project["name"])


def page_query(visit: Visit, limit: int = 50) -> dict[str, str | int | None]:
    """Which page of a list the address asks for."""
    return {"limit": limit, "cursor": visit.request.query_params.get("cursor")}


def chosen(fields: Any, prefix: str) -> list[str]:
    """Names of the boxes that were ticked: fields `{prefix}.{name}`."""
    return [name.removeprefix(f"{prefix}.") for name in fields if name.startswith(f"{prefix}.")]
