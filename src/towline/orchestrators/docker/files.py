"""Files that an instance is given before its program starts."""

import io
import tarfile
from collections.abc import Mapping

from towline.errors import InvalidInput
from towline.orchestrators.docker.engine import Engine

_READABLE_BY_ALL = 0o444


async def put_files(engine: Engine, engine_id: str, files: Mapping[str, str]) -> None:
    """Write the files (absolute path -> content) into a container that was made but not started."""
    if files:
        content = files_archive(files)
        await engine.call("PUT", f"containers/{engine_id}/archive", params={"path": "/"}, content=content)


def files_archive(files: Mapping[str, str]) -> bytes:
    """A tar of the files; missing folders are made by whoever unpacks it. InvalidInput for a path out of the root."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, text in sorted(files.items()):
            if not path.startswith("/") or ".." in path.split("/"):
                raise InvalidInput(f"The path {path!r} of a file is not an absolute one.", field="variables")
            content = text.encode()
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), _READABLE_BY_ALL
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
