"""What has to change for a project to be as it is wanted; no rows, no clock."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from towline.actions.project_files.state import (
    UPLOAD,
    DomainKey,
    DomainState,
    ProjectState,
    ServiceState,
    Variables,
    VariableState,
)

Action = Literal["create", "update", "delete", "keep", "missing"]
Kind = Literal["project", "service", "variable", "dependency", "domain", "previews"]
Fields = tuple[tuple[str, Any, Any], ...]
"""Name of a setting, its value before and after."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing to create, change or delete; what is kept or missing is only told."""

    action: Action
    kind: Kind
    name: str
    service: str = ""
    fields: Fields = ()
    is_of_previews: bool = False
    domain: DomainKey | None = None

    @property
    def is_change(self) -> bool:
        """Whether anything is to be done."""
        return self.action in {"create", "update", "delete"}


def find_differences(present: ProjectState, wanted: ProjectState, *, deletes: bool) -> list[Difference]:
    """Every difference, in the order in which they can be made; what is not wanted is deleted only with `deletes`."""
    found = [*_project(present, wanted), *_variables(present.variables, wanted.variables)]
    of_previews = _variables(present.preview_variables, wanted.preview_variables)
    found += [replace(item, is_of_previews=True) for item in of_previews]
    for name in sorted(wanted.services):
        found += _service(name, present.services.get(name), wanted.services[name])
    for name in sorted(wanted.services):
        found += _parts(name, present.services.get(name), wanted.services[name])
    if wanted.preview_rules is not None and (fields := _fields(present.preview_rules or {}, wanted.preview_rules)):
        found.append(Difference("update", "previews", "rules", fields=fields))
    found += [
        Difference("delete", "service", name, service=name)
        for name in sorted(present.services.keys() - wanted.services)
    ]
    return found if deletes else [_spared(item) for item in found]


def _spared(item: Difference) -> Difference:
    """What is not in the file stays, except a need: it says how services depend on each other, and holds nothing."""
    return replace(item, action="keep") if item.action == "delete" and item.kind != "dependency" else item


def _project(present: ProjectState, wanted: ProjectState) -> Iterator[Difference]:
    if not present.is_there:
        yield Difference("create", "project", wanted.name, fields=_fields({}, wanted.settings))
    elif fields := _fields(present.settings, {**present.settings, **wanted.settings}):
        yield Difference("update", "project", wanted.name, fields=fields)


def _service(name: str, present: ServiceState | None, wanted: ServiceState) -> Iterator[Difference]:
    if present is None:
        yield Difference("create", "service", name, service=name, fields=_fields({}, wanted.settings))
        return
    settings = dict(wanted.settings)
    if _is_uploaded(present, wanted):
        settings["source"] = present.settings["source"]
    if fields := _fields(present.settings, settings):
        yield Difference("update", "service", name, service=name, fields=fields)


def _is_uploaded(present: ServiceState, wanted: ServiceState) -> bool:
    return present.settings["source"]["type"] == wanted.settings["source"]["type"] == UPLOAD


def _parts(name: str, present: ServiceState | None, wanted: ServiceState) -> Iterator[Difference]:
    there = present or ServiceState(settings={})
    for item in _variables(there.variables, wanted.variables):
        yield replace(item, service=name)
    for item in _mapping("dependency", there.needs, wanted.needs, fields=_cascade):
        yield replace(item, service=name)
    for key in sorted(there.domains.keys() | wanted.domains.keys()):
        yield from _domain(name, key, there.domains.get(key), wanted.domains.get(key))


def _variables(present: Variables, wanted: Variables) -> Iterator[Difference]:
    for name in sorted(present.keys() | wanted.keys()):
        before, after = present.get(name), wanted.get(name)
        if after is None:
            yield Difference("delete", "variable", name, fields=_variable_fields(before, None))
        elif after.is_secret and before is None:
            yield Difference("create" if after.generates else "missing", "variable", name)
        elif fields := _variable_fields(before, after):
            yield Difference("update" if before else "create", "variable", name, fields=fields)


def _variable_fields(before: VariableState | None, after: VariableState | None) -> Fields:
    was, will = (_facts(state) for state in (before, after))
    if after is not None and after.is_secret:
        was.pop("value", None)
        will.pop("value", None)
    return _fields(was, will)


def _facts(state: VariableState | None) -> dict[str, Any]:
    return {} if state is None else {name: value for name, value in asdict(state).items() if name != "generates"}


def _mapping(kind: Kind, present: Mapping[str, Any], wanted: Mapping[str, Any], *, fields: Any) -> Iterator[Difference]:
    for name in sorted(present.keys() | wanted.keys()):
        if name not in wanted:
            yield Difference("delete", kind, name)
        elif name not in present:
            yield Difference("create", kind, name, fields=fields(None, wanted[name]))
        elif present[name] != wanted[name]:
            yield Difference("update", kind, name, fields=fields(present[name], wanted[name]))


def _cascade(before: bool | None, after: bool) -> Fields:  # noqa: FBT001 -- a value among values
    return (("cascade", before, after),)


def _domain(
    service: str, key: DomainKey, before: DomainState | None, after: DomainState | None
) -> Iterator[Difference]:
    environment, host, path = key
    name = f"{host}{'' if path == '/' else path}{'' if environment == 'production' else f' ({environment})'}"
    if before == after:
        return
    action: Action = "create" if before is None else "delete" if after is None else "update"
    was, will = (asdict(state) if state is not None else {} for state in (before, after))
    yield Difference(action, "domain", name, service=service, fields=_fields(was, will), domain=key)


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Fields:
    return tuple(
        (name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )
