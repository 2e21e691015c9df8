"""References inside variables, `${{ services.api.url }}`: found, checked and resolved; no rows, no clock."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from towline.errors import InvalidInput

ESCAPED: Final = "$${{"
"""Stands for a literal `${{`."""

MOST_CHARACTERS: Final = 262_144
"""Longest value once its references are replaced."""

_DEEPEST: Final = 50

SERVICE_FACTS: Final = ("url", "internal_url", "host", "port")
OWN_FACTS: Final = ("project.name", "environment.name", "deployment.commit")
KNOWN_FORMS: Final = (
    *(f"services.NAME.{fact}" for fact in SERVICE_FACTS),
    "services.NAME.variables.NAME",
    "variables.NAME",
    *OWN_FACTS,
)
"""Every form of reference there is."""

_REFERENCE: Final = re.compile(r"(?P<escaped>\$\$\{\{)|\$\{\{(?P<inside>(?:(?!\$\{\{|\}\}).)*)\}\}", re.DOTALL)
"""What is inside ends before the next opening: else many openings without an end would take minutes to look through."""

_OPENING: Final = re.compile(r"(?<!\$)\$\{\{")
_SERVICE: Final = re.compile(
    r"services\.(?P<service>[a-z0-9][a-z0-9-]*)\."
    rf"(?:(?P<fact>{'|'.join(SERVICE_FACTS)})|variables\.(?P<variable>[A-Za-z_][A-Za-z0-9_]*))"
)
_VARIABLE: Final = re.compile(r"variables\.(?P<variable>[A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """What is meant: a fact (`url` of a service, `project.name`), or a variable. No service: the owner's own."""

    service: str = ""
    fact: str = ""
    variable: str = ""

    def __str__(self) -> str:
        owner = f"services.{self.service}." if self.service else ""
        return f"{owner}{self.fact}" if self.fact else f"{owner}variables.{self.variable}"


@dataclass(frozen=True, slots=True)
class Value:
    """A text and whether it must be masked; what refers to a secret is one."""

    text: str
    is_secret: bool = False


Key = tuple[str, str]
"""Service and name of a variable."""


def find_references(text: str, *, place: str) -> Sequence[Reference]:
    """The references in a value, in order; InvalidInput naming the place for one of no known form."""
    return [part for part in _split(text, place=place) if isinstance(part, Reference)]


def resolve(
    wanted: str,
    *,
    variables: Mapping[str, Mapping[str, Value]],
    get_fact: Callable[[Reference], str],
) -> dict[str, Value]:
    """The variables of the service `wanted` with every reference replaced.

    `variables` holds those of every service by name; `get_fact` gives the value of a fact and raises InvalidInput for
    an unknown one. InvalidInput names the place for what is unknown, and the path of a cycle.
    """
    resolver = _Resolver(variables, get_fact)
    return {name: resolver.get((wanted, name), path=()) for name in variables.get(wanted, {})}


class _Resolver:
    def __init__(self, variables: Mapping[str, Mapping[str, Value]], get_fact: Callable[[Reference], str]) -> None:
        self._variables = variables
        self._get_fact = get_fact
        self._resolved: dict[Key, Value] = {}

    def get(self, key: Key, *, path: tuple[Key, ...]) -> Value:
        if key in path:
            cycle = " → ".join(_title(item) for item in (*path[path.index(key) :], key))
            raise InvalidInput(f"Variables refer to each other in a circle: {cycle}.", field="variables")
        if len(path) > _DEEPEST:
            raise InvalidInput(f"{_title(path[0])}: more than {_DEEPEST} references lead on.", field="variables")
        if key not in self._resolved:
            self._resolved[key] = self._compute(key, path=(*path, key))
        return self._resolved[key]

    def _compute(self, key: Key, *, path: tuple[Key, ...]) -> Value:
        service, name = key
        value = self._variables[service][name]
        texts: list[str] = []
        length, is_secret = 0, value.is_secret
        for part in _split(value.text, place=_title(key)):
            found = part if isinstance(part, str) else self._look_up(part, owner=key, path=path)
            texts.append(found if isinstance(found, str) else found.text)
            length += len(texts[-1])
            is_secret = is_secret or (isinstance(found, Value) and found.is_secret)
            if length > MOST_CHARACTERS:
                raise InvalidInput(
                    f"{_title(key)}: it becomes longer than {MOST_CHARACTERS} characters.", field="variables"
                )
        return Value("".join(texts), is_secret)

    def _look_up(self, reference: Reference, *, owner: Key, path: tuple[Key, ...]) -> str | Value:
        if reference.fact:
            try:
                return self._get_fact(reference)
            except InvalidInput as error:
                raise InvalidInput(f"{_title(owner)}: {error.message}", hint=error.hint, field="variables") from error
        service = reference.service or owner[0]
        if reference.variable not in self._variables.get(service, {}):
            hint = f"Set {reference.variable} there, or correct the reference."
            raise InvalidInput(f"{_title(owner)}: there is no ${{{{ {reference} }}}}.", hint=hint, field="variables")
        return self.get((service, reference.variable), path=path)


def _split(text: str, *, place: str) -> Iterator[str | Reference]:
    position = 0
    for match in _REFERENCE.finditer(text):
        yield _literal(text[position : match.start()], place=place)
        yield "${{" if match["escaped"] else _parse(match["inside"].strip(), place=place)
        position = match.end()
    yield _literal(text[position:], place=place)


def _literal(text: str, *, place: str) -> str:
    if _OPENING.search(text):
        raise InvalidInput(
            f"{place}: a reference begins with ${{{{ but has no end.",
            hint=f"Close it with }}}}, or write {ESCAPED} for the characters themselves.",
            field="variables",
        )
    return text


def _parse(inside: str, *, place: str) -> Reference:
    if inside in OWN_FACTS:
        return Reference(fact=inside)
    if match := _SERVICE.fullmatch(inside):
        return Reference(match["service"], match["fact"] or "", match["variable"] or "")
    if match := _VARIABLE.fullmatch(inside):
        return Reference(variable=match["variable"])
    shown = inside if len(inside) <= 60 else f"{inside[:60]}…"
    raise InvalidInput(
        f"{place}: ${{{{ {shown} }}}} is no reference.",
        hint=f"There are {', '.join(KNOWN_FORMS)}; write {ESCAPED} for the characters themselves.",
        field="variables",
    )


def _title(key: Key) -> str:
    service, name = key
    return f"{service}.{name}" if service else name
