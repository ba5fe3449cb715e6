"""Named filters of the console's list of jobs."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "console_views",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name=op.f("pk_console_views")),
    )


def downgrade() -> None:
    """Undo this revision."""
    op.drop_table("console_views")
