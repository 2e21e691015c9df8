"""Images that came to this machine with a project's own credential."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Row, utc_now


class PrivateImage(Row):
    """A project whose credential the registry of an image has let in; the copy here is for such projects only.

    `digest` is the image's id on this machine. The row outlives its project, for the copy may do so too; it goes
    with the copy.
    """

    __tablename__ = "private_images"

    digest: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(primary_key=True)
    pulled_at: Mapped[datetime] = mapped_column(default=utc_now)
