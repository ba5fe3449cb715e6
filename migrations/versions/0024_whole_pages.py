"""The indexes of a tenant's pages without the parts of documents, which no page lists."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_KEY = ["tenant", "status", "id"]
_STATES = {
    "ix_jobs_pages": "status IN ('scheduled', 'queued', 'succeeded')",
    "ix_jobs_ended_pages": "status IN ('failed', 'cancelled', 'expired')",
}
_BEFORE = {"ix_jobs_listed": "ix_jobs_pages", "ix_jobs_ended": "ix_jobs_ended_pages"}


def upgrade() -> None:
    """Apply this revision. On PostgreSQL the indexes are built afterwards, without blocking: see
    `worker.store.late_indexes`.
    """
    for name in _BEFORE:
        op.drop_index(name, table_name="jobs", if_exists=True)
    if op.get_bind().dialect.name == "sqlite":
        for name, states in _STATES.items():
            op.create_index(name, "jobs", _KEY, sqlite_where=sa.text(f"parent IS NULL AND {states}"))


def downgrade() -> None:
    """Undo this revision."""
    for name in _STATES:
        op.drop_index(name, table_name="jobs", if_exists=True)
    if op.get_bind().dialect.name == "sqlite":
        for name, now in _BEFORE.items():
            op.create_index(name, "jobs", _KEY, sqlite_where=sa.text(_STATES[now]))
