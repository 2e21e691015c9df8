"""Which hosts of previews asked for a certificate of their own, so that they do not use up what there is in a week."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Row, utc_now


class PreviewCertificate(Row):
    """A host that asked, and when; it stays when the preview goes, since the authority does not forget either."""

    __tablename__ = "preview_certificates"

    host: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
