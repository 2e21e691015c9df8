"""Sending archives: announced by digest, skipped when already there, resumed after an interruption."""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx2

from towline.client.connection import Call, Connection
from towline.client.problems import error_from_response
from towline.contract.uploads import UPLOAD_OFFSET_HEADER, Upload, UploadCreate
from towline.errors import Conflict, DiskFull, InvalidInput, TimedOut, Unavailable

CHUNK: Final = 256 * 1024
_MOST_FAILURES: Final = 6
_LONGEST_PAUSE: Final = 5.0

OnProgress = Callable[[int, int], None]
"""Called with the bytes that are there and the size."""


class Uploads:
    """Uploads of a project."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, project: str, upload: UploadCreate) -> Upload:
        """Announce an archive; the answer says how much of it is already there."""
        return self._connection.send(Call("uploads.create", {"project": project}, body=upload), Upload)

    def get(self, project: str, digest: str) -> Upload:
        """How much of an archive is there."""
        return self._connection.send(Call("uploads.get", {"project": project, "digest": digest}), Upload)

    def append(self, project: str, digest: str, chunks: Iterator[bytes], *, offset: int, length: int) -> Upload:
        """Send `length` bytes from `offset` on; tried once. Conflict when the server expects another offset."""
        call = Call("uploads.append", {"project": project, "digest": digest})
        headers = {
            "Content-Type": call.spec.request_media_type,
            "Content-Length": str(length),
            UPLOAD_OFFSET_HEADER: str(offset),
        }
        timeout = httpx2.Timeout(60, connect=10)
        with self._connection.translated_errors():
            response = self._connection.http.patch(call.url, content=chunks, headers=headers, timeout=timeout)
        if not response.is_success:
            raise error_from_response(response)
        return Upload.model_validate_json(response.content, extra="ignore")

    def send(self, project: str, path: Path, *, on_progress: OnProgress | None = None) -> Upload:
        """Bring a file to the server, whatever it takes within bounds; nothing is sent when it is there already."""
        digest, size = digest_of(path)
        if size == 0:
            raise InvalidInput(f"{path} is empty.")
        upload = self.create(project, UploadCreate(digest=digest, size=size))
        failures = 0
        while not upload.is_complete:
            before = upload.offset
            upload = self._send_rest(project, path, upload=upload, on_progress=on_progress)
            failures = 0 if upload.offset > before else failures + 1
            if failures >= _MOST_FAILURES:
                raise Unavailable(f"The upload to {self._connection.base_url} does not get on at byte {before}.")
            time.sleep(min(0.1 * 2**failures, _LONGEST_PAUSE) if failures else 0)
        if on_progress:
            on_progress(upload.size, upload.size)
        return upload

    def _send_rest(self, project: str, path: Path, *, upload: Upload, on_progress: OnProgress | None) -> Upload:
        chunks = _chunks(path, offset=upload.offset, size=upload.size, on_progress=on_progress)
        length = upload.size - upload.offset
        try:
            return self.append(project, upload.digest, chunks, offset=upload.offset, length=length)
        except DiskFull:
            raise
        except (Unavailable, TimedOut, Conflict):
            return self.get(project, upload.digest)


def digest_of(path: Path) -> tuple[str, int]:
    """The digest (`sha256:…`) and size in bytes of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return f"sha256:{digest.hexdigest()}", file.tell()


def _chunks(path: Path, *, offset: int, size: int, on_progress: OnProgress | None) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while offset < size and (chunk := file.read(min(CHUNK, size - offset))):
            yield chunk
            offset += len(chunk)
            if on_progress:
                on_progress(offset, size)
