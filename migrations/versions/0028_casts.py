"""Casts: the voices of a script's speakers, by name and version."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. It adds one table, which workers of the revision before don't read."""
    op.create_table(
        "casts",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", "version", name=op.f("pk_casts")),
    )


def downgrade() -> None:
    """Undo this revision: casts that are kept are lost; what was made with them stays."""
    op.drop_table("casts")
