"""A plan as people read it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from towline.cli.output import Output
from towline.contract.project_file import Change, Plan

_SIGNS: Final = {"create": "+", "update": "~", "delete": "-", "keep": " ", "missing": "!"}
_LONGEST_VALUE: Final = 60


def is_change(made: Plan) -> bool:
    """Whether a plan changes anything."""
    return any(change.action in {"create", "update", "delete"} for change in made.changes)


def say_plan(output: Output, made: Plan, *, project: str) -> None:
    """Say what a plan changes, what it deploys in which order, and what is down meanwhile."""
    for change in made.changes:
        _say_change(output, change)
    if made.deploys:
        output.say("Deploys: " + " → ".join(", ".join(step) for step in made.deploys))
    if made.interrupts:
        output.say(f"Down for a moment, since a volume changes hands: {', '.join(made.interrupts)}.")
    elif made.deploys:
        output.say("Nothing that runs is down meanwhile.")
    if not is_change(made) and not made.deploys:
        output.say(f"{project} is as the file says.")


def _say_change(output: Output, change: Change) -> None:
    owner = f"{change.service}: " if change.service and change.kind != "service" else ""
    line = f"{_SIGNS[change.action]} {owner}{change.kind} {change.name}"
    if change.action == "missing":
        where = f" -s {change.service}" if change.service else " --shared"
        output.say(f"{line} has no value yet: `towline env set --secret{where} {change.name}`")
        return
    source = next((field.after for field in change.fields if field.field == "source"), None)
    if change.action == "create" and source is not None:
        line = f"{line}, from {_source(source)}"
    output.say(f"{line}{' is not in the file and stays' if change.action == 'keep' else ''}")
    if change.action == "update":
        for field in change.fields:
            for name, before, after in _parts(field.field, field.before, field.after):
                output.say(f"    {name}: {_short(before)} → {_short(after)}")


def _source(source: Mapping[str, Any]) -> str:
    config: Mapping[str, Any] = source.get("config") or {}
    if source["type"] == "upload":
        return "the folder of the file"
    if config.get("dockerfile"):
        return "a Dockerfile in the file"
    return _short(config.get("image") or config.get("url") or config.get("repository") or source["type"])


def _parts(name: str, before: object, after: object) -> Iterator[tuple[str, object, object]]:
    """What differs inside of two values of a setting, as far down as both have the same form."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        yield name, before, after
        return
    was, will = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
    for key in sorted(was.keys() | will.keys()):
        if was.get(key) != will.get(key):
            # `source.config` is where the API keeps it; people know the image of a service.
            inner = key if name in {"source", "config"} else f"{name}.{key}"
            yield from _parts("source" if (name, key) == ("source", "type") else inner, was.get(key), will.get(key))


def _short(value: object) -> str:
    text = "none" if value in (None, "", [], {}) else _text(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_text(item) for item in cast("list[object]", value))
    if isinstance(value, dict):
        items = cast("dict[str, object]", value)
        if items.keys() == {"name", "path"}:
            return f"{items['name']} at {items['path']}"
        return ", ".join(f"{name}={_text(item)}" for name, item in items.items() if item not in (None, "", [], {}))
    return str(value)
