"""Pages of previews: all of a project with their rules, and one with what can be done about it."""

from collections.abc import Sequence

from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Json, Visit, wanting
from towline.web.dashboard.fields import Fields, number, text
from towline.web.dashboard.places import ask_project, page_query, project_view

_HOUR = 3600
_MINUTE = 60
_DOORS = {
    "none": "everybody who has the address",
    "sign_in": "members of the project",
    "link": "members, and whoever has its share link",
}
_SCOPES = {"project": "all services", "graph": "the main service and what it needs", "service": "the main service only"}


async def show_previews(visit: Visit) -> View:
    """Previews of a project, and how new ones come about."""
    name = visit.path["project"]
    project, (found, rules, services) = await ask_project(
        visit,
        wanting("previews.list", project=name, query=page_query(visit)),
        wanting("previews.getRules", project=name),
        wanting("services.listByProject", project=name, query={"limit": 200}),
    )
    values = {
        "previews": found["items"],
        "next_cursor": found["next_cursor"],
        "rules": rules,
        "services": [item["name"] for item in services["items"]],
        "scopes": _SCOPES,
        "doors": _DOORS,
    }
    return project_view(visit, project, "previews.html", "Previews", values)


async def show_preview(visit: Visit) -> View:
    """One preview."""
    return await _preview(visit, ())


async def create_preview(visit: Visit, fields: Fields) -> str:
    """A preview by hand."""
    given = {name: text(fields, name) for name in ("name", "title", "ref", "scope", "main")}
    body: Json = {name: value for name, value in given.items() if value}
    made = await visit.ask_here("previews.create", body=body)
    return _page(visit, f"/{made['id']}")


async def change_rules(visit: Visit, fields: Fields) -> str:
    """Set how previews come about; what the form does not show stays."""
    now = await visit.ask_here("previews.getRules")
    body: Json = {
        **now,
        "pull_requests": fields.get("pull_requests") == "on",
        "forks": fields.get("forks") == "on",
        "label": text(fields, "label") or None,
        "branches": text(fields, "branches").replace(",", " ").split(),
        "main": text(fields, "main") or None,
        "scope": text(fields, "scope") or now["scope"],
        "lifetime_seconds": _seconds(fields, "hours", _HOUR),
        "cap": number(fields, "cap") or now["cap"],
        "sleeps_after_seconds": _seconds(fields, "sleeps", _MINUTE),
        "protection": text(fields, "protection") or now["protection"],
    }
    await visit.ask_here("previews.updateRules", body=body)
    return _page(visit)


async def change_preview(visit: Visit, fields: Fields) -> str:
    """Set what it is called, who may visit it, and how long it stays."""
    body: Json = {
        "title": text(fields, "title"),
        "protection": text(fields, "protection") or None,
        "lifetime_seconds": _seconds(fields, "hours", _HOUR),
        "sleeps_after_seconds": _seconds(fields, "sleeps", _MINUTE),
        "is_protected_from_cap": fields.get("is_kept") == "on",
    }
    await visit.ask_here("previews.update", body=body)
    return _page(visit, f"/{visit.path['preview']}")


async def share_preview(visit: Visit, _: Fields) -> View:
    """A share link for each host, shown this once, in place of earlier ones."""
    environment = (await visit.ask_here("previews.get"))["name"]
    made = await visit.ask_here("environments.createShareLink", environment=environment)
    return await _preview(visit, made["urls"])


async def stop_sharing(visit: Visit, _: Fields) -> str:
    """Make its share links worthless."""
    environment = (await visit.ask_here("previews.get"))["name"]
    await visit.ask_here("environments.deleteShareLink", environment=environment)
    return _page(visit, f"/{visit.path['preview']}")


async def redeploy_preview(visit: Visit, _: Fields) -> str:
    """Deploy all of it again."""
    await visit.ask_here("previews.update", body={"deploy": True})
    return _page(visit, f"/{visit.path['preview']}")


async def extend_preview(visit: Visit, _: Fields) -> str:
    """Let its lifetime begin anew."""
    await visit.ask_here("previews.extend")
    return _page(visit, f"/{visit.path['preview']}")


async def wake_preview(visit: Visit, _: Fields) -> str:
    """Wake it."""
    await visit.ask_here("previews.wake")
    return _page(visit, f"/{visit.path['preview']}")


async def approve_preview(visit: Visit, fields: Fields) -> str:
    """Let a commit of a fork run."""
    await visit.ask_here("previews.approve", body={"revision": text(fields, "revision")})
    return _page(visit, f"/{visit.path['preview']}")


async def delete_preview(visit: Visit, _: Fields) -> str:
    """Remove it with all that belongs to it."""
    await visit.ask_here("previews.delete")
    return _page(visit)


async def _preview(visit: Visit, links: Sequence[str]) -> View:
    name, preview = visit.path["project"], visit.path["preview"]
    project, (found,) = await ask_project(visit, wanting("previews.get", project=name, preview=preview))
    values = {"preview": found, "links": links, "doors": _DOORS}
    return project_view(visit, project, "preview.html", found["name"], values)


def _seconds(fields: Fields, name: str, unit: int) -> int | None:
    value = number(fields, name)
    return None if value is None else value * unit


def _page(visit: Visit, rest: str = "") -> str:
    return f"/projects/{visit.path['project']}/previews{rest}"
