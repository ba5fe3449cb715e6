"""The first tables."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant, Money

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "attempts",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("reset_at", Instant(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("cost", Money(), nullable=False),
        sa.Column("cost_estimated", sa.Boolean(), nullable=False),
        sa.Column("possibly_billed", sa.Boolean(), nullable=False),
        sa.Column("remaining_credits", Money(), nullable=True),
        sa.Column("take_uri", sa.Text(), nullable=True),
        sa.Column("noted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_attempts")),
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index("ix_attempts_finished_at", ["finished_at"], unique=False)
        batch_op.create_index(
            "ix_attempts_unnoted",
            ["finished_at"],
            unique=False,
            postgresql_where=sa.text("NOT noted"),
            sqlite_where=sa.text("NOT noted"),
        )

    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("resume_key", sa.String(length=64), nullable=True),
        sa.Column("output_url", sa.Text(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.create_index("ix_batches_created_at", ["created_at"], unique=False)
        batch_op.create_index("uq_batches_resume_key", ["tenant", "resume_key"], unique=True)

    op.create_table(
        "gates",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=True),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("next_probe_at", Instant(), nullable=False),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gates")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "pace",
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("rpm", sa.Float(), nullable=True),
        sa.Column("next_start_at", Instant(), nullable=True),
        sa.Column("paused_until", Instant(), nullable=True),
        sa.Column("strikes", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("search", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_pace")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("heartbeat_at", Instant(), nullable=False),
        sa.Column("stopping", sa.Boolean(), nullable=False),
        sa.Column("stopped_at", Instant(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.create_index("ix_workers_stopped_at", ["stopped_at"], unique=False)

    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("lane", sa.Uuid(), nullable=False),
        sa.Column("custom_id", sa.Text(), nullable=True),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("not_before", Instant(), nullable=True),
        sa.Column("deadline", Instant(), nullable=True),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("voice_1", sa.String(length=32), nullable=True),
        sa.Column("voice_2", sa.String(length=32), nullable=True),
        sa.Column("temperature", sa.Float(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("use_cache", sa.Boolean(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("attempts_used", sa.Integer(), nullable=False),
        sa.Column("takes_used", sa.Integer(), nullable=False),
        sa.Column("recover", sa.Boolean(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("dispatched_at", Instant(), nullable=True),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("cost", Money(), nullable=False),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=True),
        sa.Column("content_type", sa.String(length=64), nullable=True),
        sa.Column("audio_bytes", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(finished_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'cancelled', 'expired'))",
            name=op.f("ck_jobs_finished"),
        ),
        sa.CheckConstraint("status <> 'failed' OR code IS NOT NULL", name=op.f("ck_jobs_failed_has_code")),
        sa.CheckConstraint("status <> 'running' OR worker_id IS NOT NULL", name=op.f("ck_jobs_running_has_worker")),
        sa.CheckConstraint("status <> 'scheduled' OR not_before IS NOT NULL", name=op.f("ck_jobs_scheduled_has_time")),
        sa.CheckConstraint(
            "status <> 'succeeded' OR (uri IS NOT NULL AND sha256 IS NOT NULL)",
            name=op.f("ck_jobs_succeeded_has_audio"),
        ),
        sa.CheckConstraint(
            "status IN ('scheduled', 'queued', 'dispatched', 'running', 'succeeded', 'failed', 'cancelled', 'expired')",
            name=op.f("ck_jobs_status"),
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_jobs_batch_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index("ix_jobs_batch_status", ["batch_id", "status"], unique=False)
        batch_op.create_index(
            "ix_jobs_bought",
            ["fingerprint"],
            unique=False,
            postgresql_where=sa.text("status = 'succeeded'"),
            sqlite_where=sa.text("status = 'succeeded'"),
        )
        batch_op.create_index(
            "ix_jobs_deadline",
            ["deadline"],
            unique=False,
            postgresql_where=sa.text("deadline IS NOT NULL AND status IN ('scheduled', 'queued')"),
            sqlite_where=sa.text("deadline IS NOT NULL AND status IN ('scheduled', 'queued')"),
        )
        batch_op.create_index(
            "ix_jobs_due",
            ["not_before"],
            unique=False,
            postgresql_where=sa.text("status = 'scheduled'"),
            sqlite_where=sa.text("status = 'scheduled'"),
        )
        batch_op.create_index(
            "ix_jobs_in_flight",
            ["status", "worker_id"],
            unique=False,
            postgresql_where=sa.text("status IN ('dispatched', 'running')"),
            sqlite_where=sa.text("status IN ('dispatched', 'running')"),
        )
        batch_op.create_index(
            "ix_jobs_queued",
            ["priority", "tenant", "lane", "model", "id"],
            unique=False,
            postgresql_where=sa.text("status = 'queued'"),
            sqlite_where=sa.text("status = 'queued'"),
        )
        batch_op.create_index("uq_jobs_custom_id", ["batch_id", "custom_id"], unique=True)


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index("uq_jobs_custom_id")
        batch_op.drop_index(
            "ix_jobs_queued", postgresql_where=sa.text("status = 'queued'"), sqlite_where=sa.text("status = 'queued'")
        )
        batch_op.drop_index(
            "ix_jobs_in_flight",
            postgresql_where=sa.text("status IN ('dispatched', 'running')"),
            sqlite_where=sa.text("status IN ('dispatched', 'running')"),
        )
        batch_op.drop_index(
            "ix_jobs_due",
            postgresql_where=sa.text("status = 'scheduled'"),
            sqlite_where=sa.text("status = 'scheduled'"),
        )
        batch_op.drop_index(
            "ix_jobs_deadline",
            postgresql_where=sa.text("deadline IS NOT NULL AND status IN ('scheduled', 'queued')"),
            sqlite_where=sa.text("deadline IS NOT NULL AND status IN ('scheduled', 'queued')"),
        )
        batch_op.drop_index(
            "ix_jobs_bought",
            postgresql_where=sa.text("status = 'succeeded'"),
            sqlite_where=sa.text("status = 'succeeded'"),
        )
        batch_op.drop_index("ix_jobs_batch_status")

    op.drop_table("jobs")
    with op.batch_alter_table("workers", schema=None) as batch_op:
        batch_op.drop_index("ix_workers_stopped_at")

    op.drop_table("workers")
    op.drop_table("pace")
    op.drop_table("leases")
    op.drop_table("gates")
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.drop_index("uq_batches_resume_key")
        batch_op.drop_index("ix_batches_created_at")

    op.drop_table("batches")
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_attempts_unnoted", postgresql_where=sa.text("NOT noted"), sqlite_where=sa.text("NOT noted")
        )
        batch_op.drop_index("ix_attempts_finished_at")

    op.drop_table("attempts")
