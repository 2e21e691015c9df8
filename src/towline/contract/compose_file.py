"""Compose files read into the form of a project file, with a list of what could not be carried."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from towline.contract.project_file import ProjectFile
from towline.contract.project_file_text import load_yaml
from towline.errors import InvalidInput
from towline.names import to_slug

NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_DATABASES: Final = ("postgres", "mysql", "mariadb", "mongo", "redis", "valkey")
_SILENT: Final = frozenset({"restart", "container_name", "networks", "expose", "stdin_open", "tty", "pull_policy"})
"""What says nothing that Towline does not do by itself."""


@dataclass(frozen=True, slots=True)
class ReadCompose:
    """What was carried, and for each thing that was not a sentence."""

    file: ProjectFile
    notes: list[str]


@dataclass(slots=True)
class _Reading:
    notes: list[str] = field(default_factory=list[str])

    def note(self, service: str, text: str) -> None:
        self.notes.append(f"{service}: {text}" if service else text)


def read_compose(text: str, *, project: str, where: str = "compose.yaml") -> ReadCompose:
    """A compose file as a project file; InvalidInput for what is no compose file."""
    document = load_yaml(text, where=where)
    services = document.get("services")
    if not _mapping(services):
        raise InvalidInput(f"{where} has no services.", field="file")
    reading = _Reading()
    given = _mapping(services)
    names = {name: to_slug(str(name)) for name in given}
    carried = {names[name]: _service(names[name], _mapping(item), reading, names) for name, item in given.items()}
    for key in sorted(document.keys() - {"services", "version", "name", "volumes", "networks"}):
        if not str(key).startswith("x-"):
            reading.note("", f"`{key}` is not carried.")
    return ReadCompose(ProjectFile.model_validate({"project": project, "services": carried}), reading.notes)


def _service(name: str, item: Mapping[str, Any], reading: _Reading, names: Mapping[str, str]) -> dict[str, Any]:
    carried: dict[str, Any] = {}
    for key, value in item.items():
        if key in _CARRIERS:
            carried |= _CARRIERS[key](name, value, reading)
        elif key == "depends_on":
            carried["needs"] = [names.get(one, to_slug(one)) for one in _names_of(value)]
        elif key not in _SILENT and not str(key).startswith("x-"):
            reading.note(name, f"`{key}` is not carried.")
    carried.setdefault("type", _type(carried))
    return carried


def _type(carried: Mapping[str, Any]) -> str:
    image = str(carried.get("image", "")).rpartition("/")[2]
    if image.startswith(_DATABASES):
        return "database"
    return "web" if carried.get("port") or "image" not in carried else "worker"


def _image(_: str, value: Any, __: _Reading) -> dict[str, Any]:
    return {"image": str(value)}


def _build(name: str, value: Any, reading: _Reading) -> dict[str, Any]:
    if isinstance(value, str):
        return {"build": {"context": _inside(value)}}
    given = _mapping(value)
    build: dict[str, Any] = {"context": _inside(str(given.get("context", ".")))}
    if "dockerfile" in given:
        context = build["context"]
        build["dockerfile"] = str(given["dockerfile"]) if context == "." else f"{context}/{given['dockerfile']}"
    if "target" in given:
        build["target"] = str(given["target"])
    if "args" in given:
        build["arguments"] = dict(_pairs(given["args"]))
    for key in sorted(given.keys() - {"context", "dockerfile", "target", "args"}):
        reading.note(name, f"`build.{key}` is not carried.")
    return {"build": build}


def _command(_: str, value: Any, __: _Reading) -> dict[str, Any]:
    return {"command": shlex.split(value) if isinstance(value, str) else [str(part) for part in _list(value)]}


def _environment(name: str, value: Any, reading: _Reading) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    for key, text in _pairs(value):
        if text is None or "${" in text:
            variables[key] = {"secret": True}
            reading.note(name, f"{key} takes its value from your shell; set it with `towline env set --secret {key}`.")
        else:
            variables[key] = text
    return {"variables": variables}


def _ports(name: str, value: Any, reading: _Reading) -> dict[str, Any]:
    ports = [_container_port(port) for port in _list(value)]
    numbers = [port for port in ports if port is not None]
    if len(numbers) > 1:
        reading.note(name, f"of the ports only {numbers[0]} is carried.")
    return {"port": numbers[0]} if numbers else {}


def _container_port(port: Any) -> int | None:
    text = str(_mapping(port).get("target", "") if _mapping(port) else port)
    text = text.partition("/")[0].rpartition(":")[2]
    return int(text) if text.isdecimal() else None


def _volumes(name: str, value: Any, reading: _Reading) -> dict[str, Any]:
    volumes: dict[str, str] = {}
    for item in _list(value):
        source, path = _mount(item)
        if source and path and not source.startswith((".", "/", "~", "$")):
            volumes[source] = path
        else:
            reading.note(name, f"the folder {source or item} of this machine is not mounted; copy it into the image.")
    return {"volumes": volumes}


def _mount(item: Any) -> tuple[str, str]:
    if given := _mapping(item):
        return str(given.get("source", "")), str(given.get("target", ""))
    source, _, rest = str(item).partition(":")
    return source, rest.partition(":")[0]


def _health(name: str, value: Any, reading: _Reading) -> dict[str, Any]:
    test = _mapping(value).get("test")
    words = ["CMD-SHELL", test] if isinstance(test, str) else [str(part) for part in _list(test)]
    if words[:1] == ["CMD"]:
        return {"health": {"kind": "command", "command": words[1:]}}
    if words[:1] == ["CMD-SHELL"]:
        return {"health": {"kind": "command", "command": ["sh", "-c", *words[1:]]}}
    reading.note(name, "`healthcheck` is not carried.")
    return {}


def _deploy(name: str, value: Any, reading: _Reading) -> dict[str, Any]:
    given = _mapping(value)
    limits = _mapping(_mapping(given.get("resources")).get("limits"))
    for key in sorted(given.keys() - {"replicas", "resources", "restart_policy"}):
        reading.note(name, f"`deploy.{key}` is not carried.")
    carried = {
        "replicas": given.get("replicas"),
        "cpus": float(limits["cpus"]) if "cpus" in limits else None,
        "memory": str(limits["memory"]).upper() if "memory" in limits else None,
    }
    return {key: item for key, item in carried.items() if item is not None}


def _names_of(value: Any) -> list[str]:
    return [str(one) for one in (_mapping(value) or _list(value))]


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _pairs(value: Any) -> Iterator[tuple[str, str | None]]:
    for key, text in _mapping(value).items():
        yield key, None if text is None else str(text).lower() if isinstance(text, bool) else str(text)
    for item in _list(value):
        key, equals, text = str(item).partition("=")
        yield key, text if equals else None


def _inside(path: str) -> str:
    return path.removeprefix("./").rstrip("/") or "."


_CARRIERS: Final[Mapping[str, Callable[[str, Any, _Reading], dict[str, Any]]]] = {
    "image": _image,
    "build": _build,
    "command": _command,
    "environment": _environment,
    "ports": _ports,
    "volumes": _volumes,
    "healthcheck": _health,
    "deploy": _deploy,
}
