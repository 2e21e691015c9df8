"""What shows whether the key file belongs to the database."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from towline.models.base import Row


class KeyCheck(Row):
    """A known text, sealed: opens only with the key file of this database. There is one row."""

    __tablename__ = "key_checks"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[bytes]
