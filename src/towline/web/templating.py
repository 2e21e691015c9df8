"""Pages from templates: Jinja is loaded when the first page is asked for."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from towline.infra.lazily import load

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER: Final = Path(__file__).parent / "templates"


def render(name: str, values: Mapping[str, object]) -> str:
    """A template filled in, every value escaped."""
    return _environment().get_template(name).render(values)


@cache
def _environment() -> "Environment":
    jinja = load("jinja2")
    environment: Environment = jinja.Environment(
        loader=jinja.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja.StrictUndefined, trim_blocks=True
    )
    return environment
