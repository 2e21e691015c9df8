"""Pages of the audit log: of a project, and of the whole instance."""

from collections.abc import Sequence
from typing import Any, Final

from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.audit_words import deed, doer, manner
from towline.web.dashboard.places import page_query
from towline.web.dashboard.projects import permissions

_ALL: Final = {"limit": 200}
_MOST_PROJECTS: Final = 10
"""Of how many projects of one page the names of services are asked for."""


async def show_of_project(visit: Visit) -> View:
    """What was changed in a project, and what was refused."""
    name = visit.path["project"]
    project, members, services, found = await visit.ask_all(
        wanting("projects.get", project=name),
        wanting("members.list", project=name, query=_ALL),
        wanting("services.listByProject", project=name, query=_ALL),
        wanting("audit.list", query={"project": name, **page_query(visit)}),
    )
    people = {member["user_id"]: member["email"] for member in members["items"]}
    names = {service["id"]: service["name"] for service in services["items"]} | {project["id"]: project["name"]}
    values = {"project": project, **permissions(visit, project), **_told(found, people, names)}
    return View("audit.html", f"Audit log of {project['name']}", values, project=project["name"])


async def show_of_instance(visit: Visit) -> View:
    """What was changed anywhere, and what was refused."""
    found, users, projects = await visit.ask_all(
        wanting("audit.list", query=page_query(visit)),
        wanting("users.list", query=_ALL),
        wanting("projects.list", query=_ALL),
    )
    people = {user["id"]: user["email"] for user in users["items"]}
    names = {project["id"]: project["name"] for project in projects["items"]}
    services = await _services(visit, [entry["project_id"] for entry in found["items"] if entry["project_id"] in names])
    return View("audit.html", "Audit log", {"project": None, **_told(found, people, names | services)})


async def _services(visit: Visit, project_ids: Sequence[str]) -> dict[str, str]:
    """What the services of some projects are called, by id."""
    few = sorted(set(project_ids))[:_MOST_PROJECTS]
    found = await visit.ask_all(*(wanting("services.listByProject", project=one, query=_ALL) for one in few))
    return {service["id"]: service["name"] for answer in found for service in answer["items"]}


def _told(found: Json, people: dict[str, str], names: dict[str, str]) -> dict[str, Any]:
    entries = [
        {
            **entry,
            "who": doer(entry, people),
            "did": deed(entry, names | people),
            "how": manner(entry),
            "where": names.get(entry["project_id"], ""),
        }
        for entry in found["items"]
    ]
    return {"entries": entries, "next_cursor": found["next_cursor"]}
