"""What was heard in takes, the rates at which voices speak, and when each word of a job's audio is heard."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

COLUMNS = (("timings", sa.String(length=8)), ("pinned", sa.Boolean()))


def upgrade() -> None:
    """Apply this revision. It adds empty columns and tables, so workers of the revision before go on meanwhile.

    Those workers write no timings and record nothing of takes: upgrade them before producers ask for timings.
    """
    for name, kind in COLUMNS:
        op.add_column("jobs", sa.Column(name, kind, nullable=True))
    op.create_table(
        "takes",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("voice", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("heard_at", Instant(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("suspicious", sa.Boolean(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("reference", sa.Float(), nullable=True),
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.Column("rung", sa.String(length=8), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("sentence", sa.Text(), nullable=True),
        sa.Column("start_seconds", sa.Float(), nullable=True),
        sa.Column("end_seconds", sa.Float(), nullable=True),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("mark", sa.String(length=4), nullable=True),
        sa.Column("learned", sa.Boolean(), nullable=False),
        sa.CheckConstraint("mark IN ('good', 'bad')", name=op.f("ck_takes_mark")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_takes_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_takes")),
    )
    op.create_index("ix_takes_batch", "takes", ["batch_id"])
    op.create_index("ix_takes_voice", "takes", ["tenant", "model", "voice", "language", "source", "heard_at"])
    where = sa.text("NOT learned")
    op.create_index("ix_takes_unlearned", "takes", ["heard_at"], postgresql_where=where, sqlite_where=where)
    op.create_table(
        "speaking_rates",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("voice", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.Column("a", sa.Float(), nullable=False),
        sa.Column("b", sa.Float(), nullable=False),
        sa.Column("mad", sa.Float(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", Instant(), nullable=True),
        sa.Column("learned_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "model", "voice", "language", "source", name=op.f("pk_speaking_rates")),
    )


def downgrade() -> None:
    """Undo this revision: marks, scores and learned rates are lost; stored timings stay beside their audio."""
    op.drop_table("speaking_rates")
    op.drop_table("takes")
    for name, _ in reversed(COLUMNS):
        op.drop_column("jobs", name)
