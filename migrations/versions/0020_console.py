"""The console: sign-in links, sessions, log of actions, operations on many jobs, activity by the minute.

Also an index for pages of a tenant's jobs that ended without audio.
"""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant, Money

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ENDED = "status IN ('failed', 'cancelled', 'expired')"


def upgrade() -> None:
    """Apply this revision. It only adds, so that workers of the revision before continue meanwhile. On PostgreSQL the
    index of jobs is built afterwards, without blocking: see `worker.store.late_indexes`.
    """
    op.create_table(
        "console_links",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_console_links")),
    )
    op.create_table(
        "console_sessions",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_console_sessions")),
    )
    op.create_index("ix_console_sessions_expires_at", "console_sessions", ["expires_at"])
    op.create_table(
        "console_actions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_actions")),
    )
    op.create_index("ix_console_actions_tenant", "console_actions", ["tenant", "id"])
    op.create_table(
        "operations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("frozen_at", Instant(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.Column("price", Money(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("examined", sa.Integer(), nullable=False),
        sa.Column("position", sa.Uuid(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("confirmed_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "state IN ('counting', 'ready', 'running', 'aborted', 'finished', 'discarded')",
            name=op.f("ck_operations_state"),
        ),
        sa.CheckConstraint("action IN ('retry', 'cancel', 'priority', 'delete')", name=op.f("ck_operations_action")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operations")),
    )
    op.create_index("ix_operations_tenant", "operations", ["tenant", "id"])
    where = sa.text("state IN ('counting', 'running')")
    op.create_index("ix_operations_open", "operations", ["id"], postgresql_where=where, sqlite_where=where)
    op.create_table(
        "activity",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("minute", Instant(), nullable=False),
        sa.Column("finished", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("cost", Money(), nullable=False),
        sa.Column("wait_p50", sa.Integer(), nullable=False),
        sa.Column("wait_p95", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "minute", name=op.f("pk_activity")),
    )
    op.create_index("ix_activity_minute", "activity", ["minute"])
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("ix_jobs_ended", "jobs", ["tenant", "status", "id"], sqlite_where=sa.text(_ENDED))


def downgrade() -> None:
    """Undo this revision: everybody is signed out, and the log of actions is lost."""
    op.drop_index("ix_jobs_ended", table_name="jobs", if_exists=True)
    for table in ("activity", "operations", "console_actions", "console_sessions", "console_links"):
        op.drop_table(table)
