"""The account in full: budgets and what was spent of them, the balance, events, submitted requests, how takes sound."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant, Money

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. It only adds, so that workers of the revision before go on meanwhile."""
    # Jobs first: whoever adds a job locks them before their batches, and would wait here in a circle.
    op.add_column("jobs", sa.Column("request_id", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("peak_dbfs", sa.Float(), nullable=True))
    op.add_column("jobs", sa.Column("loudness_lufs", sa.Float(), nullable=True))
    op.add_column("jobs", sa.Column("silence_share", sa.Float(), nullable=True))
    op.add_column("batches", sa.Column("max_cost", Money(), nullable=True))
    op.add_column("batches", sa.Column("spent", Money(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "balances",
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("remaining", Money(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("low", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_balances")),
    )
    op.create_table(
        "tenants",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("monthly_budget", Money(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tenants")),
    )
    op.create_table(
        "tenant_months",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("spent", Money(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "month", name=op.f("pk_tenant_months")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_at", "events", ["at"], unique=False)
    # What the ledger holds already counts.
    op.execute(
        "UPDATE batches SET spent = paid.cost FROM ("
        "SELECT batch_id, sum(cost) AS cost FROM attempts WHERE noted AND batch_id IS NOT NULL GROUP BY batch_id"
        ") AS paid WHERE paid.batch_id = batches.id"
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index("ix_events_at", table_name="events")
    op.drop_table("events")
    op.drop_table("tenant_months")
    op.drop_table("tenants")
    op.drop_table("balances")
    for table, columns in {
        "jobs": ("silence_share", "loudness_lufs", "peak_dbfs", "request_id"),
        "batches": ("spent", "max_cost"),
    }.items():
        for column in columns:
            op.drop_column(table, column)
