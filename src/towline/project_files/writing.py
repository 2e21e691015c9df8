"""Exporting: the shortest file that stands for a project as it is."""

from collections.abc import Mapping
from typing import Any

from towline.actions.project_files.state import DomainKey, DomainState, ProjectState, ServiceState, Variables
from towline.contract.previews import PreviewRules
from towline.contract.project_file import ProjectFile, memory_size
from towline.project_files.reading import default_settings

_BUILD = {
    "dockerfile_path": "dockerfile",
    "context": "context",
    "target": "target",
    "builder": "builder",
    "watch_paths": "watch",
}
_SAME = (
    *("type", "release_command", "port", "replicas", "max_surge", "cpus", "stop_grace_seconds", "drain_seconds"),
    *("schedule", "time_zone", "timeout_seconds"),
)


def export_file(state: ProjectState) -> ProjectFile:
    """The file; applying it to this project changes nothing. Secrets stand in it without their values."""
    given = {
        "version": 1,
        "project": state.name,
        **_kept(state.settings),
        **_kept({"variables": _variables(state.variables), "preview_variables": _variables(state.preview_variables)}),
        **_kept({"previews": _said_rules(state.preview_rules or {})}),
        "services": {name: _service(service) for name, service in state.services.items()},
    }
    return ProjectFile.model_validate(given)


def to_document(file: ProjectFile) -> dict[str, Any]:
    """The file as plain values without what is said by default, in the order of the format."""
    return file.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_unset=True) | {
        "version": file.version,
        "project": file.project,
    }


def _said_rules(rules: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the rules by default."""
    defaults = PreviewRules().model_dump(mode="json")
    return {name: value for name, value in rules.items() if value != defaults[name]}


def _service(state: ServiceState) -> dict[str, Any]:
    settings, defaults = state.settings, default_settings()
    said = {name: value for name, value in settings.items() if value != defaults.get(name)}
    build = {new: said[old] for old, new in _BUILD.items() if old in said}
    if said.get("build_arguments"):
        build["arguments"] = said["build_arguments"]
    return {
        **_source(settings["source"]),
        **{name: said[name] for name in _SAME if name in said},
        **_kept(
            {
                "build": build,
                "command": said.get("start_command"),
                "health": said.get("health"),
                "memory": memory_size(said.get("memory_bytes")),
                "volumes": {volume["name"]: volume["path"] for volume in said.get("volumes", ())},
                "backup": said.get("backup"),
                "needs": [{"service": name, "cascade": cascade} for name, cascade in sorted(state.needs.items())],
                "variables": _variables(state.variables),
                "domains": [_domain(key, domain) for key, domain in state.domains.items()],
            }
        ),
    }


def _source(source: Mapping[str, Any]) -> dict[str, Any]:
    config: Mapping[str, Any] = source["config"]
    if source["type"] == "custom":
        if not config:
            return {"source": dict(source)}
        return {"image": config["image"]} if "image" in config else {"dockerfile_text": config["dockerfile"]}
    if source["type"] == "git":
        shown = {name: value for name, value in config.items() if value or isinstance(value, bool)}
        return {"git": shown}
    return {} if source["type"] == "upload" else {"source": dict(source)}


def _variables(variables: Variables) -> dict[str, Any]:
    return {
        name: {
            **({"secret": True} if item.is_secret else {"value": item.value}),
            **_kept({"for": list(item.kinds), "file": item.mount_path}),
        }
        for name, item in variables.items()
    }


def _domain(key: DomainKey, state: DomainState) -> dict[str, Any]:
    environment, host, path = key
    return {
        "host": host,
        "path": path,
        "strip_path": state.strip_path,
        "certificate": state.certificate,
        "environment": environment,
    }


def _kept(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value}
