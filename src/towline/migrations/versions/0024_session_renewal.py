"""Sessions that get another value: what changes stands beside this file as SQL."""

from pathlib import Path

from alembic import op

from towline.infra.statements import read_statements

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_SQL = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    """Run the first half of the SQL file."""
    for statement in read_statements(_SQL):
        op.execute(statement)


def downgrade() -> None:
    """Run the second half of the SQL file."""
    for statement in read_statements(_SQL, is_downgrade=True):
        op.execute(statement)
