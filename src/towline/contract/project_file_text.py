"""Project files as text: YAML read without surprises, and written."""

from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic import ValidationError

from towline.contract.faults import fault_text
from towline.contract.project_file import FILE_NAME, ProjectFile
from towline.errors import InvalidInput
from towline.infra.lazily import load

LONGEST_TEXT: Final = 1024 * 1024
MOST_NODES: Final = 50_000
"""Most values of a file once its aliases are followed: a few lines of them can stand for billions."""


def parse_project_file(text: str, *, where: str = FILE_NAME) -> ProjectFile:
    """The project file in a text; InvalidInput naming the line or the place in it."""
    document = load_yaml(text, where=where)
    try:
        return ProjectFile.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        first = found[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
        raise InvalidInput(f"{where}: {place}: {fault_text(first)}{more}.", field="file") from error


def load_yaml(text: str, *, where: str) -> Mapping[str, Any]:
    """The mapping in a YAML text; InvalidInput for what is none, names a key twice, or is too large."""
    yaml = load("yaml")
    if len(text) > LONGEST_TEXT:
        raise InvalidInput(f"{where} is longer than {LONGEST_TEXT} characters.", field="file")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _check_node(node, where=where, yaml=yaml)
        document: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it is no YAML"
        raise InvalidInput(f"{where}{place}: {problem}.", field="file") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{where} is no YAML that can be read: {error}.", field="file") from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{where} holds no mapping; it begins with `project: NAME`.", field="file")
    return cast("Mapping[str, Any]", document)


def write_yaml(document: Mapping[str, Any]) -> str:
    """A mapping as YAML in the order it has."""
    text: str = load("yaml").safe_dump(
        dict(document), sort_keys=False, allow_unicode=True, default_flow_style=False, width=100
    )
    return text


def _check_node(node: Any, *, where: str, yaml: Any) -> None:
    sizes: dict[int, int] = {}

    def size_of(one: Any) -> int:
        if id(one) not in sizes:
            sizes[id(one)] = MOST_NODES + 1  # for an alias to what holds it
            sizes[id(one)] = 1 + sum(size_of(child) for child in _children(one, where=where, yaml=yaml))
        return sizes[id(one)]

    if node is not None and size_of(node) > MOST_NODES:
        raise InvalidInput(f"{where} holds more than {MOST_NODES} values.", field="file")


def _children(node: Any, *, where: str, yaml: Any) -> list[Any]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if not isinstance(node, yaml.MappingNode):
        return []
    seen: set[str] = set()
    for key, _ in node.value:
        name = str(key.value)
        if name in seen and name != "<<":
            line = key.start_mark.line + 1
            raise InvalidInput(f"{where}, line {line}: the key {name!r} is there twice.", field="file")
        seen.add(name)
    return [part for pair in node.value for part in pair]
