"""HTTP: the style sheet and the modules of the pages, of this package and read once."""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import Request
from starlette.responses import Response

from towline.errors import NotFound
from towline.web.problems import problem_response

_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


async def get_asset(request: Request) -> Response:
    """One of the files; a browser that has it is told so."""
    name = request.path_params["name"]
    if name not in _names():
        return problem_response(NotFound(f"There is nothing at {request.url.path[:200]}."))
    content, packed, tag = _read(name)
    headers = {"Cache-Control": "no-cache", "ETag": tag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = packed, "gzip"
    return Response(content, media_type=_TYPES[Path(name).suffix], headers=headers)


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in _FOLDER.iterdir() if path.suffix in _TYPES)


@cache
def _read(name: str) -> tuple[bytes, bytes, str]:
    content = (_FOLDER / name).read_bytes()
    return content, gzip.compress(content, mtime=0), f'"{hashlib.sha256(content).hexdigest()[:32]}"'
