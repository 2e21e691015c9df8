"""The link from a folder to its project and service, kept in `.towline/project.json`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

from towline.errors import InvalidInput

FOLDER_NAME: Final = ".towline"
_FILE_NAME: Final = "project.json"


@dataclass(frozen=True, slots=True)
class Link:
    """What a folder deploys to."""

    project: str
    service: str
    environment: str = "production"
    url: str | None = None


def find_link(start: Path) -> Link | None:
    """The link of a folder or of the nearest one above it that has one."""
    return next((link for folder in (start, *start.parents) if (link := find_own_link(folder))), None)


def find_own_link(folder: Path) -> Link | None:
    """The link of this very folder: one above it says nothing of which service this one is."""
    path = folder / FOLDER_NAME / _FILE_NAME
    return _read(path) if path.is_file() else None


def store_link(folder: Path, link: Link) -> Path:
    """Remember the link in the folder, where git ignores it; the file."""
    own = folder / FOLDER_NAME
    own.mkdir(exist_ok=True)
    (own / ".gitignore").write_text("*\n")
    path = own / _FILE_NAME
    path.write_text(json.dumps(asdict(link), indent=2) + "\n")
    return path


def _read(path: Path) -> Link:
    try:
        content = cast("dict[str, str]", json.loads(path.read_text()))
        return Link(
            project=content["project"],
            service=content["service"],
            environment=content.get("environment") or "production",
            url=content.get("url"),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{path} is damaged.", hint="Delete it and run `towline deploy` again.") from error
