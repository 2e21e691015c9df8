"""The first tables; their SQL stands beside this file."""

import re
from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table, one statement after the other."""
    for statement in Path(__file__).with_suffix(".sql").read_text().split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Drop every table, the last one first."""
    names = re.findall(r"CREATE TABLE (\w+)", Path(__file__).with_suffix(".sql").read_text())
    for name in reversed(names):
        op.execute(f"DROP TABLE {name}")
    op.execute("DROP SEQUENCE event_numbers")
