"""Producers: batches that pause and finish, formats, retention, and schedules. And how long calls and uploads took."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant, Money

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_UNFINISHED = sa.text("finished_at IS NULL")
_TO_DATE = sa.text("expires_after IS NOT NULL AND purge_at IS NULL")
_TO_PURGE = sa.text("purge_at IS NOT NULL AND purged_at IS NULL")
_LOOSE = sa.text("part > 0 OR jobs = 0")
_SUBMITTED = sa.text("request_id IS NOT NULL AND status IN ('scheduled', 'queued')")


def upgrade() -> None:
    """Apply this revision. It only adds, so that workers of the revision before go on meanwhile."""
    # Jobs first: whoever adds a job locks them before their batches, and would wait here in a circle.
    op.add_column("jobs", sa.Column("audio_format", sa.String(length=8), nullable=True))
    op.add_column("jobs", sa.Column("target_lufs", sa.Float(), nullable=True))
    op.add_column("jobs", sa.Column("expires_after", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("purge_at", Instant(), nullable=True))
    op.add_column("jobs", sa.Column("purged_at", Instant(), nullable=True))
    op.add_column("attempts", sa.Column("call_ms", sa.Integer(), nullable=True))
    op.add_column("attempts", sa.Column("upload_ms", sa.Integer(), nullable=True))
    op.add_column("batches", sa.Column("paused_at", Instant(), nullable=True))
    op.add_column("batches", sa.Column("finished_at", Instant(), nullable=True))
    op.add_column("batches", sa.Column("results_uri", sa.Text(), nullable=True))
    op.add_column("batches", sa.Column("key_template", sa.Text(), nullable=True))
    op.add_column("tenants", sa.Column("output_url", sa.Text(), nullable=True))
    _create_indexes()
    _finish_old_batches()
    _create_schedules()
    _create_tallies()


def _create_indexes() -> None:
    op.create_index(
        "ix_jobs_to_date",
        "jobs",
        ["finished_at"],
        unique=False,
        postgresql_where=_TO_DATE,
        sqlite_where=_TO_DATE,
    )
    op.create_index(
        "ix_jobs_to_purge", "jobs", ["purge_at"], unique=False, postgresql_where=_TO_PURGE, sqlite_where=_TO_PURGE
    )
    op.create_index(
        "ix_jobs_submitted",
        "jobs",
        ["fingerprint"],
        unique=False,
        postgresql_where=_SUBMITTED,
        sqlite_where=_SUBMITTED,
    )
    op.create_index(
        "ix_batches_unfinished",
        "batches",
        ["id"],
        unique=False,
        postgresql_where=_UNFINISHED,
        sqlite_where=_UNFINISHED,
    )


def _finish_old_batches() -> None:
    """What was over before anybody wrote result files is not begun again for their sake."""
    op.execute(
        "UPDATE batches SET finished_at = created_at WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE"
        " jobs.batch_id = batches.id AND jobs.status IN ('scheduled', 'queued', 'dispatched', 'running'))"
    )


def _create_schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("catch_up_seconds", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("next_due_at", Instant(), nullable=True),
        sa.Column("paused_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "name", name=op.f("pk_schedules")),
    )
    op.create_index("ix_schedules_next_due_at", "schedules", ["next_due_at"], unique=False)
    op.create_table(
        "schedule_runs",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("schedule", sa.String(length=64), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "state IN ('due', 'running', 'done', 'failed', 'missed')", name=op.f("ck_schedule_runs_state")
        ),
        sa.PrimaryKeyConstraint("tenant", "schedule", "due_at", name=op.f("pk_schedule_runs")),
    )
    op.create_index(
        "ix_schedule_runs_open",
        "schedule_runs",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('due', 'running')"),
        sqlite_where=sa.text("state IN ('due', 'running')"),
    )


_KEY = "lane, tenant, model, priority, status, cached"
_SUM = f"INSERT INTO tallies ({_KEY}, part, jobs, cost, began_at, ended_at)"

_NEXT = "nextval('tallies_part')"
# Once a statement, whatever number of rows it changes. It only adds rows, so that nobody waits for anybody.
_TALLY = f"""
CREATE FUNCTION tally_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    {_SUM}
    SELECT {_KEY}, {_NEXT}, count(*), sum(cost), min(created_at), max(finished_at) FROM new_jobs GROUP BY {_KEY};
  ELSIF TG_OP = 'DELETE' THEN
    {_SUM}
    SELECT {_KEY}, {_NEXT}, -count(*), -sum(cost), min(created_at), max(finished_at) FROM old_jobs GROUP BY {_KEY};
  ELSE
    {_SUM}
    SELECT {_KEY}, {_NEXT}, sum(change), sum(cost), min(created_at), max(finished_at)
    FROM (
      SELECT {_KEY}, 1 AS change, cost, created_at, finished_at FROM new_jobs
      UNION ALL
      SELECT {_KEY}, -1, -cost, created_at, finished_at FROM old_jobs
    ) AS changed
    GROUP BY {_KEY} HAVING sum(change) <> 0 OR sum(cost) <> 0;
  END IF;
  RETURN NULL;
END
$$
"""  # noqa: S608 - all of it stands here
_SEEN = {
    "insert": "NEW TABLE AS new_jobs",
    "update": "NEW TABLE AS new_jobs OLD TABLE AS old_jobs",
    "delete": "OLD TABLE AS old_jobs",
}


def _create_tallies() -> None:
    op.create_table(
        "tallies",
        sa.Column("lane", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("cached", sa.Boolean(), nullable=False),
        sa.Column("part", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("jobs", sa.BigInteger(), nullable=False),
        sa.Column("cost", Money(), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint(
            "lane", "tenant", "model", "priority", "status", "cached", "part", name=op.f("pk_tallies")
        ),
    )
    op.create_index("ix_tallies_loose", "tallies", ["part"], unique=False, postgresql_where=_LOOSE, sqlite_where=_LOOSE)
    if op.get_bind().dialect.name == "postgresql":
        _keep_tallies()


def _keep_tallies() -> None:
    """What is there is counted under the same lock that lets the triggers begin: nothing is missed or counted twice.

    SQLite has no trigger for a whole statement, and one for each row would halve the speed at which sheets come in.
    """
    op.execute("CREATE SEQUENCE tallies_part")
    op.execute(_TALLY)
    for statement, seen in _SEEN.items():
        op.execute(
            f"CREATE TRIGGER tally_{statement} AFTER {statement.upper()} ON jobs REFERENCING {seen}"
            " FOR EACH STATEMENT EXECUTE FUNCTION tally_jobs()"
        )
    op.execute(
        f"{_SUM} SELECT {_KEY}, 0, count(*), sum(cost), min(created_at), max(finished_at) FROM jobs GROUP BY {_KEY}"  # noqa: S608 - all of it stands above
    )


def downgrade() -> None:
    """Take this revision back."""
    if op.get_bind().dialect.name == "postgresql":
        for statement in _SEEN:
            op.execute(f"DROP TRIGGER tally_{statement} ON jobs")
        op.execute("DROP FUNCTION tally_jobs()")
        op.execute("DROP SEQUENCE tallies_part")
    op.drop_table("tallies")
    op.drop_table("schedule_runs")
    op.drop_table("schedules")
    op.drop_index("ix_batches_unfinished", table_name="batches")
    op.drop_index("ix_jobs_submitted", table_name="jobs")
    op.drop_index("ix_jobs_to_purge", table_name="jobs")
    op.drop_index("ix_jobs_to_date", table_name="jobs")
    op.drop_column("tenants", "output_url")
    for column in ("key_template", "results_uri", "finished_at", "paused_at"):
        op.drop_column("batches", column)
    for column in ("upload_ms", "call_ms"):
        op.drop_column("attempts", column)
    for column in ("purged_at", "purge_at", "expires_after", "target_lufs", "audio_format"):
        op.drop_column("jobs", column)
