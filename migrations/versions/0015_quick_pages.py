"""Indexes for pages that grew with the history: jobs by code, and events of one tenant."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_jobs_code", "jobs", ["code", "id"], "code IS NOT NULL"),
    ("ix_events_tenant", "events", ["tenant", "id"], "tenant IS NOT NULL"),
    ("ix_events_account", "events", ["id"], "tenant IS NULL"),
)


def upgrade() -> None:
    """Apply this revision. On PostgreSQL the indexes are built afterwards, without blocking: see
    `worker.store.late_indexes`.
    """
    if op.get_bind().dialect.name == "sqlite":
        for name, table, columns, where in _INDEXES:
            op.create_index(name, table, columns, unique=False, sqlite_where=sa.text(where))


def downgrade() -> None:
    """Undo this revision."""
    for name, table, _, _ in _INDEXES:
        op.drop_index(name, table_name=table, if_exists=True)
