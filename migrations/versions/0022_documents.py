"""Documents: jobs made of parts, each of which is a job as well."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

COLUMNS = (("parts", sa.Integer()), ("parent", sa.Uuid()), ("part", sa.Integer()), ("chosen", sa.Boolean()))
_INDEXES = (
    ("ix_jobs_parts", ["parent", "part"], "parent IS NOT NULL"),
    ("ix_jobs_documents", ["status", "batch_id"], "parts IS NOT NULL"),
)

_KEY = "lane, tenant, model, priority, status, cached"
_SUM = f"INSERT INTO tallies ({_KEY}, part, jobs, cost, began_at, ended_at)"
_NEXT = "nextval('tallies_part')"
_SPAN = "min(created_at), max(finished_at)"


def _tally(which: str) -> str:
    """The function of 0006, counting jobs that fulfil a condition."""
    return f"""
CREATE OR REPLACE FUNCTION tally_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    {_SUM}
    SELECT {_KEY}, {_NEXT}, count(*), sum(cost), {_SPAN} FROM new_jobs WHERE {which} GROUP BY {_KEY};
  ELSIF TG_OP = 'DELETE' THEN
    {_SUM}
    SELECT {_KEY}, {_NEXT}, -count(*), -sum(cost), {_SPAN} FROM old_jobs WHERE {which} GROUP BY {_KEY};
  ELSE
    {_SUM}
    SELECT {_KEY}, {_NEXT}, sum(change), sum(cost), {_SPAN}
    FROM (
      SELECT {_KEY}, 1 AS change, cost, created_at, finished_at FROM new_jobs WHERE {which}
      UNION ALL
      SELECT {_KEY}, -1, -cost, created_at, finished_at FROM old_jobs WHERE {which}
    ) AS changed
    GROUP BY {_KEY} HAVING sum(change) <> 0 OR sum(cost) <> 0;
  END IF;
  RETURN NULL;
END
$$
"""  # noqa: S608 - all of it stands here


def upgrade() -> None:
    """Apply this revision. It adds empty columns and a table, so workers of the revision before go on meanwhile.

    Those workers would send a document's whole text in one call: upgrade them before producers submit documents. On
    PostgreSQL the indexes are built afterwards, without blocking: see `worker.store.late_indexes`.
    """
    for name, kind in COLUMNS:
        op.add_column("jobs", sa.Column(name, kind, nullable=True))
    op.create_table(
        "documents",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("style", sa.Text(), nullable=False),
        sa.Column("sidecars", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_documents_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_documents")),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_tally("parent IS NULL"))
        return
    for name, columns, where in _INDEXES:
        op.create_index(name, "jobs", columns, unique=False, sqlite_where=sa.text(where))


def downgrade() -> None:
    """Undo this revision. Documents are removed, for the revision before would send their whole text in one call."""
    op.execute("DELETE FROM jobs WHERE parent IS NOT NULL OR parts IS NOT NULL")
    for name, _, _ in _INDEXES:
        op.drop_index(name, table_name="jobs", if_exists=True)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_tally("true"))
    op.drop_table("documents")
    for name, _ in reversed(COLUMNS):
        op.drop_column("jobs", name)
