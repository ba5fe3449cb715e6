"""Counters that survive purging, and a view of one row for autoscalers."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_SETTINGS = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_analyze_scale_factor": "0.02",
    "fillfactor": "50",
}
# As `worker.store.queries.metrics` computes it, but in SQL: an installation without workers must be able to start one.
_VIEW = """
CREATE VIEW ttsq_scaling AS
WITH waiting AS (
  SELECT lane, tenant, model, jobs FROM tallies WHERE status = 'queued'
  UNION ALL
  SELECT lane, tenant, model, 1 FROM jobs WHERE status = 'scheduled' AND not_before <= now()
  UNION ALL
  SELECT its.lane, its.tenant, its.model, 1
  FROM jobs AS document JOIN jobs AS its ON its.parent = document.id
  WHERE document.parts IS NOT NULL AND document.status = 'scheduled' AND its.parent IS NOT NULL AND its.status = 'queued'
), startable AS (
  SELECT coalesce(sum(jobs), 0) AS jobs FROM waiting
  WHERE NOT EXISTS (
    SELECT 1 FROM gates WHERE closed AND (scope IN ('account', 'storage') OR gates.model = waiting.model)
  ) AND NOT EXISTS (
    SELECT 1 FROM batches WHERE batches.id = waiting.lane AND paused_at IS NOT NULL
  ) AND NOT EXISTS (
    SELECT 1 FROM lane_takes AS takes WHERE takes.lane = waiting.lane AND takes.tenant = waiting.tenant
    AND takes.model = waiting.model AND held_at IS NOT NULL
  )
), figures AS (
  SELECT
    greatest(0, startable.jobs - coalesce((SELECT max(held_by_budget) FROM scaling), 0))::bigint AS startable_jobs,
    (SELECT count(*) FROM jobs WHERE status IN ('dispatched', 'running')) AS jobs_in_flight,
    (SELECT max(rpm) FROM pace) AS pace_rpm,
    coalesce((
      SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at))
      FROM attempts
      WHERE finished_at >= now() - interval '5 minutes' AND verdict NOT IN ('cached', 'released', 'lost')
    ), 20)::double precision AS attempt_seconds
  FROM startable
)
SELECT
  startable_jobs, jobs_in_flight, pace_rpm, attempt_seconds,
  ceil(least(pace_rpm / 60 * attempt_seconds * 1.2, startable_jobs + jobs_in_flight))::bigint AS useful_slots
FROM figures
"""


def upgrade() -> None:
    """Apply this revision. It adds tables and a view only: workers of the revision before go on meanwhile."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "totals",
        sa.Column("name", sa.String(length=24), nullable=False),
        sa.Column("label", sa.String(length=24), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("part", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "label", "model", "tenant", "part", name=op.f("pk_totals")),
        postgresql_with=_SETTINGS,
    )
    op.create_table(
        "scaling",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("held_by_budget", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_scaling")),
    )
    if is_postgresql:
        op.execute(_VIEW)


def downgrade() -> None:
    """Undo this revision: the counters are lost."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP VIEW ttsq_scaling")
    op.drop_table("scaling")
    op.drop_table("totals")
