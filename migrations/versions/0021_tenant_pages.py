"""An index for the pages of a tenant's jobs that wait or have succeeded."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. On PostgreSQL the index is built afterwards, without blocking: see
    `worker.store.late_indexes`.
    """
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_jobs_listed",
            "jobs",
            ["tenant", "status", "id"],
            unique=False,
            sqlite_where=sa.text("status IN ('scheduled', 'queued', 'succeeded')"),
        )


def downgrade() -> None:
    """Undo this revision."""
    op.drop_index("ix_jobs_listed", table_name="jobs", if_exists=True)
