"""The catalogue of templates: those that come with Towline, and those of a folder, which replace them by name."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from towline.contract.templates import TemplateFile, parse_template
from towline.errors import InvalidInput

BUILT_IN: Final = Path(__file__).parent.parent / "templates"
_MOST: Final = 500
_LONGEST: Final = 256 * 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundTemplate:
    """A template of the catalogue with its text."""

    origin: Literal["built-in", "folder"]
    template: TemplateFile
    text: str


def list_templates(folder: Path | None) -> Mapping[str, FoundTemplate]:
    """Every template by name; one that cannot be read is told in the log and left out. Blocks."""
    found = dict(_read(BUILT_IN, origin="built-in"))
    if folder is not None and folder.is_dir():
        found |= _read(folder, origin="folder")
    return dict(sorted(found.items()))


def _read(folder: Path, *, origin: Literal["built-in", "folder"]) -> Mapping[str, FoundTemplate]:
    found: dict[str, FoundTemplate] = {}
    for path in sorted(folder.glob("*.yaml"))[:_MOST]:
        try:
            text, template = _parse(path, path.stat().st_mtime_ns)
        except (InvalidInput, OSError, UnicodeDecodeError) as error:
            _log.warning("The template %s is left out: %s", path, error)
            continue
        found[template.template.name] = FoundTemplate(origin, template, text)
    return found


@lru_cache(maxsize=_MOST)
def _parse(path: Path, _changed_at: int) -> tuple[str, TemplateFile]:
    if path.stat().st_size > _LONGEST:
        raise InvalidInput(f"{path.name} is longer than {_LONGEST} bytes.")
    text = path.read_text()
    return text, parse_template(text, where=path.name)
