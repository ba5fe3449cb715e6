"""Receipts of webhooks that outlive their hook, a hook's previous secret, and runs of deliveries."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COPY = """
INSERT INTO hook_receipts (tenant, hook, delivery, received_at, jobs)
SELECT hooks.tenant, hooks.name, seen.delivery, seen.received_at, seen.jobs
FROM hook_deliveries AS seen JOIN hooks ON hooks.id = seen.hook_id
"""


def upgrade() -> None:
    """Apply this revision. It only adds, so that gateways of the revision before go on meanwhile."""
    op.create_table(
        "hook_receipts",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("hook", sa.String(length=64), nullable=False),
        sa.Column("delivery", sa.String(length=255), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "hook", "delivery", name=op.f("pk_hook_receipts")),
    )
    op.execute(_COPY)
    # Only the migration has written to the new table: its index blocks nobody.
    op.create_index("ix_hook_receipts_received_at", "hook_receipts", ["received_at"], unique=False)
    op.add_column("hooks", sa.Column("old_secret", sa.Text(), nullable=True))
    op.add_column("hooks", sa.Column("old_secret_until", Instant(), nullable=True))
    op.add_column("deliveries", sa.Column("claimed_with", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """Undo this revision."""
    op.drop_column("deliveries", "claimed_with")
    op.drop_column("hooks", "old_secret_until")
    op.drop_column("hooks", "old_secret")
    op.drop_index("ix_hook_receipts_received_at", table_name="hook_receipts")
    op.drop_table("hook_receipts")
