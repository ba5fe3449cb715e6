"""Budgets of API keys, calls of unknown outcome, and how long the text of each call was."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Money

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UNCLEAR = "ix_attempts_unclear"
_OPEN = "ix_jobs_key_open"


def upgrade() -> None:
    """Apply this revision. It only adds, so that workers of the revision before go on meanwhile.

    On PostgreSQL the indexes are built afterwards, without blocking: see `worker.store.late_indexes`.
    """
    op.add_column("attempts", sa.Column("text_bytes", sa.Integer(), nullable=True))
    op.add_column("api_keys", sa.Column("spent", Money(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            _UNCLEAR, "attempts", ["tenant", "batch_id"], unique=False, sqlite_where=sa.text("possibly_billed")
        )
        op.create_index(
            _OPEN,
            "jobs",
            ["key_id", "status"],
            unique=False,
            sqlite_where=sa.text("key_id IS NOT NULL AND status IN ('scheduled', 'queued', 'dispatched', 'running')"),
        )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index(_OPEN, table_name="jobs", if_exists=True)
    op.drop_index(_UNCLEAR, table_name="attempts", if_exists=True)
    op.drop_column("api_keys", "spent")
    op.drop_column("attempts", "text_bytes")
