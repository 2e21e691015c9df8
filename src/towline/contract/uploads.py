"""Uploads: archives of source code, named by their digest and resumable."""

from typing import Annotated, Final

from pydantic import Field

from towline.contract.base import MAX_BYTES, Digest, Model

UPLOAD_MEDIA_TYPE: Final = "application/offset+octet-stream"
UPLOAD_OFFSET_HEADER: Final = "Upload-Offset"


class UploadCreate(Model):
    """Announces an archive (zip, tar, tar.gz or tar.zst). Announcing it again tells how much is already there."""

    digest: Digest = Field(description="SHA-256 of the archive's bytes.", examples=["sha256:" + "0" * 64])
    size: Annotated[int, Field(strict=True, ge=1, le=MAX_BYTES)] = Field(description="Size of the archive in bytes.")


class Upload(Model):
    """How much of an archive has arrived."""

    digest: str = Field(description="SHA-256 of the archive's bytes.")
    size: int = Field(description="Announced size in bytes.", examples=[48_213])
    offset: int = Field(description="Bytes that are there; send the next ones with this `Upload-Offset`.")
    is_complete: bool = Field(description="Whether all is there, the digest was checked, and it can be deployed.")
