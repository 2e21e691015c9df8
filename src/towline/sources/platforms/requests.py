"""Parts of requests to platforms' APIs that several of them share."""

from typing import Final
from urllib.parse import quote

from towline.errors import InvalidInput

LONGEST_DESCRIPTION: Final = 140


def repository_path(repository: str) -> str:
    """`owner/name` for a path, each part quoted; InvalidInput for one that would lead elsewhere."""
    parts = repository.strip("/").split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise InvalidInput(f"{repository[:100]!r} is no repository of the form owner/name.", field="repository")
    return "/".join(quote(part, safe="") for part in parts)


def quoted(text: str) -> str:
    """A foreign text as one part of a path."""
    return quote(text, safe="")


def paged(page: int, *, size: int, **more: str) -> dict[str, str]:
    """The query for a page, by the names that most platforms use."""
    return {"per_page": str(size), "page": str(page), **more}
