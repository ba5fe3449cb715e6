"""Whether a file beside a job's audio says where it is from."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision: an empty column, so workers of the revision before go on meanwhile; they write no files."""
    op.add_column("jobs", sa.Column("provenance", sa.Boolean(), nullable=True))


def downgrade() -> None:
    """Undo this revision; files that were written stay beside their audio."""
    op.drop_column("jobs", "provenance")
