"""Forms of one service: deploy, scale, restart, variables, domains, dependencies, settings, deletion."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from towline.contract.base import DEFAULT_ENVIRONMENT
from towline.errors import InvalidInput
from towline.web.dashboard.asking import Json, Visit
from towline.web.dashboard.fields import Fields, check_typed, command, decimal, lines, number, text

_MEBIBYTE = 1024 * 1024
_ACTIONS = {"restart": "services.restart", "stop": "services.stop", "start": "services.start"}


async def deploy(visit: Visit, fields: Fields) -> str:
    """Ask for a deployment."""
    body: Json = {"environment": environment_of(fields), "no_cache": fields.get("no_cache") == "on"}
    body.update({name: value for name in ("ref", "image", "upload") if (value := text(fields, name))})
    deployment = await visit.ask_here("services.deploy", body=body)
    return f"/deployments/{deployment['id']}"


async def act(visit: Visit, fields: Fields) -> str:
    """Restart, stop or start it."""
    operation = _ACTIONS.get(text(fields, "wanted"))
    if operation is None:
        raise InvalidInput("There is no such action.", field="wanted")
    await visit.ask_here(operation, body={"environment": environment_of(fields)})
    return service_page(visit, fields)


async def scale(visit: Visit, fields: Fields) -> str:
    """Set how many instances are wanted."""
    body = {"environment": environment_of(fields), "replicas": number(fields, "replicas")}
    await visit.ask_here("services.scale", body=body)
    return service_page(visit, fields)


async def roll_back(visit: Visit, fields: Fields) -> str:
    """Roll back to a release."""
    body = {**visit.path, "environment": environment_of(fields), "release": number(fields, "release")}
    deployment = await visit.ask("deployments.rollback", body=body)
    return f"/deployments/{deployment['id']}"


async def set_variable(visit: Visit, fields: Fields) -> str:
    """Set one variable of the service."""
    variable: Json = {
        "name": text(fields, "name"),
        "value": fields.get("value", "").replace("\r\n", "\n"),
        "is_secret": fields.get("is_secret") == "on",
    }
    if path := text(fields, "mount_path"):
        variable["mount_path"] = path
    body = {"service": visit.path["service"], "variables": [variable]}
    await visit.ask("variables.set", project=visit.path["project"], body=body)
    return service_page(visit, fields, "/variables")


async def delete_variable(visit: Visit, fields: Fields) -> str:
    """Delete one variable of the service."""
    query = {"service": visit.path["service"]}
    await visit.ask("variables.delete", project=visit.path["project"], name=text(fields, "name"), query=query)
    return service_page(visit, fields, "/variables")


async def undo_variable(visit: Visit, fields: Fields) -> str:
    """Take a change of a variable back."""
    await visit.ask("variables.undo", project=visit.path["project"], change=text(fields, "change"))
    return service_page(visit, fields, "/variables")


async def add_domain(visit: Visit, fields: Fields) -> str:
    """Add a domain."""
    body: Json = {
        "host": text(fields, "host"),
        "path_prefix": text(fields, "path_prefix") or "/",
        "strip_prefix": fields.get("strip_prefix") == "on",
        "environment": environment_of(fields),
        "certificate": "auto" if fields.get("https") == "on" else "none",
    }
    await visit.ask_here("routes.create", body=body)
    return service_page(visit, fields, "/domains")


async def delete_domain(visit: Visit, fields: Fields) -> str:
    """Remove a domain."""
    await visit.ask_here("routes.delete", route=text(fields, "route"))
    return service_page(visit, fields, "/domains")


async def set_need(visit: Visit, fields: Fields) -> str:
    """Say that it needs another service."""
    body = {"cascade": fields.get("cascade") == "on"}
    await visit.ask_here("dependencies.set", dependency=text(fields, "dependency"), body=body)
    return service_page(visit, fields, "/settings")


async def delete_need(visit: Visit, fields: Fields) -> str:
    """Say that it does not need another service any more."""
    await visit.ask_here("dependencies.delete", dependency=text(fields, "dependency"))
    return service_page(visit, fields, "/settings")


async def update(visit: Visit, fields: Fields) -> str:
    """Change how it is built and run."""
    now = await visit.ask_here("services.get")
    body = {**_own(fields), **_given(fields), "health": _health(now["health"], fields)}
    if now["source"]["type"] != "upload":
        body["source"] = _changed_source(now["source"], fields)
    changed = await visit.ask_here("services.update", body=body)
    return f"/projects/{visit.path['project']}/services/{changed['name']}/settings"


async def delete(visit: Visit, fields: Fields) -> str:
    """Delete a service whose name was typed."""
    service = await visit.ask_here("services.get")
    check_typed(fields, service["name"])
    await visit.ask_here("services.delete")
    return f"/projects/{visit.path['project']}"


def _own(fields: Fields) -> Json:
    """What every service has."""
    memory = number(fields, "memory")
    return {
        "name": text(fields, "name"),
        "memory_bytes": None if memory is None else memory * _MEBIBYTE,
        "cpus": decimal(fields, "cpus"),
        "start_command": command(fields, "start_command"),
        "release_command": command(fields, "release_command"),
    }


def _given(fields: Fields) -> Json:
    """What the form asks some kinds of services only."""
    return {setting: read(fields, name) for name, (setting, read) in _SETTINGS.items() if name in fields}


def _health(now: Json, fields: Fields) -> Json:
    """How health is checked, with what the form says of it."""
    if "health_kind" not in fields:
        return now
    kind, arguments = text(fields, "health_kind"), command(fields, "health_command")
    if kind == "command" and not arguments:
        raise InvalidInput("Say which command checks its health.", field="health_command")
    given = {"kind": kind, "path": text(fields, "health_path") or "/", "command": arguments}
    return {**now, **given, "timeout_seconds": number(fields, "health_timeout")}


def _volumes(fields: Fields, name: str) -> list[Json]:
    """Volumes, one a line: a name and a folder."""
    volumes: list[Json] = []
    for line in lines(fields, name):
        volume, _, path = line.partition(" ")
        if not path:
            raise InvalidInput(f"{line[:80]!r} is not a name and a folder.", field=name)
        volumes.append({"name": volume, "path": path.strip()})
    return volumes


_SETTINGS: Final[Mapping[str, tuple[str, Callable[[Fields, str], Any]]]] = {
    "port": ("port", number),
    "builder": ("builder", text),
    "dockerfile_path": ("dockerfile_path", text),
    "context": ("context", text),
    "target": ("target", lambda fields, name: text(fields, name) or None),
    "watch_paths": ("watch_paths", lines),
    "schedule": ("schedule", text),
    "time_zone": ("time_zone", text),
    "timeout": ("timeout_seconds", number),
    "volumes": ("volumes", _volumes),
    "drain": ("drain_seconds", number),
    "grace": ("stop_grace_seconds", number),
}
"""Settings by the field of the form, and how that is read."""


def _changed_source(source: Json, fields: Fields) -> Json:
    """The same source with the fields of the form; what the form does not show stays."""
    config = dict(source["config"])
    for name in ("url", "repository", "branch", "subdirectory", "image", "dockerfile"):
        if name in fields:
            config[name] = text(fields, name).replace("\r\n", "\n")
    return {"type": source["type"], "config": {name: value for name, value in config.items() if value != ""}}


def environment_of(fields: Fields) -> str:
    """The environment that a form is for."""
    return text(fields, "environment") or DEFAULT_ENVIRONMENT


def service_page(visit: Visit, fields: Fields, tab: str = "") -> str:
    """A page of the service that the address names, in the form's environment."""
    environment = environment_of(fields)
    suffix = "" if environment == DEFAULT_ENVIRONMENT else f"?environment={quote(environment)}"
    return f"/projects/{visit.path['project']}/services/{visit.path['service']}{tab}{suffix}"
