"""Pages of what is kept of a project's data: dumps, snapshots and volumes, and bringing them back."""

from towline.contract.base import DEFAULT_ENVIRONMENT
from towline.web.dashboard.answers import View
from towline.web.dashboard.asking import Ask, Json, Visit, wanting
from towline.web.dashboard.fields import Fields, command, text
from towline.web.dashboard.places import ask_project, page_query, project_view


async def show_backups(visit: Visit) -> View:
    """Dumps and snapshots, and the volumes there are."""
    name = visit.path["project"]
    project, (backups, volumes, services, environments) = await ask_project(
        visit,
        wanting("backups.list", project=name, query=page_query(visit)),
        wanting("volumes.list", project=name),
        wanting("services.listByProject", project=name, query={"limit": 200}),
        wanting("environments.list", project=name, query={"limit": 200}),
    )
    values = {
        "backups": backups["items"],
        "next_cursor": backups["next_cursor"],
        "volumes": volumes["items"],
        "dumped": [item["name"] for item in services["items"] if item["backup"] and item["backup"]["command"]],
        "environments": [item["name"] for item in environments["items"]],
    }
    return project_view(visit, project, "backups.html", "Backups", values)


async def show_backup(visit: Visit) -> View:
    """One dump or snapshot, and what can be made of it."""
    name = visit.path["project"]
    project, (backup, environments) = await ask_project(
        visit,
        wanting("backups.get", project=name, backup=visit.path["backup"]),
        wanting("environments.list", project=name, query={"limit": 200}),
    )
    values = {"backup": backup, "environments": [item["name"] for item in environments["items"]]}
    return project_view(visit, project, "backup.html", f"{backup['kind']} of {backup['service']}", values)


async def show_restore(visit: Visit) -> View:
    """How far a restore is."""
    name, restore = visit.path["project"], visit.path["restore"]
    project, (found,) = await ask_project(visit, wanting("restores.get", project=name, restore=restore))
    return project_view(visit, project, "restore.html", f"Restore of {found['service']}", {"restore": found})


async def dump(visit: Visit, fields: Fields) -> str:
    """Dump a service now."""
    body = {"environment": _environment(fields)}
    made = await visit.ask_here("backups.create", service=text(fields, "service"), body=body)
    return _page(visit, f"/{made['id']}")


async def snapshot(visit: Visit, fields: Fields) -> str:
    """Keep a volume as it is now."""
    body = {"environment": _environment(fields)}
    made = await visit.send(Ask("volumes.snapshot", _volume(visit, fields), {}, body))
    return _page(visit, f"/{made['id']}")


async def copy(visit: Visit, fields: Fields) -> str:
    """Copy a volume's content into another environment."""
    body = {"environment": _environment(fields), "to_environment": text(fields, "to_environment")}
    made = await visit.send(Ask("volumes.copy", _volume(visit, fields), {}, body))
    return _restore_page(visit, made)


async def delete(visit: Visit, _: Fields) -> str:
    """Delete a dump or snapshot."""
    await visit.ask_here("backups.delete")
    return _page(visit)


async def restore(visit: Visit, fields: Fields) -> str:
    """Make a new service of a dump, or a volume what a snapshot holds."""
    backup = await visit.ask_here("backups.get")
    body: Json = {"environment": _environment(fields)}
    if backup["kind"] == "snapshot":
        body["backup"] = backup["id"]
        place = {"project": visit.path["project"], "service": backup["service_id"], "volume": backup["volume"]}
        return _restore_page(visit, await visit.send(Ask("volumes.restore", place, {}, body)))
    if name := text(fields, "name"):
        body["name"] = name
    return _restore_page(visit, await visit.ask_here("backups.restore", body=body))


async def test(visit: Visit, fields: Fields) -> str:
    """Restore into a service that is removed again."""
    body = {"check_command": command(fields, "check_command")}
    return _restore_page(visit, await visit.ask_here("backups.test", body=body))


def _volume(visit: Visit, fields: Fields) -> dict[str, str]:
    return {"project": visit.path["project"], **{name: text(fields, name) for name in ("service", "volume")}}


def _environment(fields: Fields) -> str:
    return text(fields, "environment") or DEFAULT_ENVIRONMENT


def _page(visit: Visit, rest: str = "") -> str:
    return f"/projects/{visit.path['project']}/backups{rest}"


def _restore_page(visit: Visit, made: Json) -> str:
    return f"/projects/{visit.path['project']}/restores/{made['id']}"
