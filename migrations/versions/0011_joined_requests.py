"""Repeated requests of one caller for one content, which share one job."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. It only adds, so that workers of the revision before go on meanwhile."""
    op.create_table(
        "joined_requests",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("caller", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("clients", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "caller", "fingerprint", name=op.f("pk_joined_requests")),
    )
    # A new table is empty: its index blocks nobody.
    op.create_index("ix_joined_requests_created_at", "joined_requests", ["created_at"], unique=False)


def downgrade() -> None:
    """Undo this revision."""
    op.drop_index("ix_joined_requests_created_at", table_name="joined_requests")
    op.drop_table("joined_requests")
