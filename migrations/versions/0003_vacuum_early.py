"""Vacuum early: jobs and the ledger leave dead rows in the indexes that every tick reads."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Each job leaves three dead versions of its row, and each attempt one. By PostgreSQL's own measure, a fifth of the
# table, the first pages of a partial index can be dead by the thousand before anybody clears them.
_SETTINGS = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_analyze_scale_factor": "0.02",
}


def upgrade() -> None:
    """Apply this revision. It waits for no worker and keeps none waiting; SQLite has nothing of the kind."""
    if op.get_bind().dialect.name == "postgresql":
        settings = ", ".join(f"{name} = {value}" for name, value in _SETTINGS.items())
        for table in ("jobs", "attempts"):
            op.execute(f"ALTER TABLE {table} SET ({settings})")


def downgrade() -> None:
    """Take this revision back."""
    if op.get_bind().dialect.name == "postgresql":
        for table in ("jobs", "attempts"):
            op.execute(f"ALTER TABLE {table} RESET ({', '.join(_SETTINGS)})")
