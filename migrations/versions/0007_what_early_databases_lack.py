"""Add what databases lack that were made by early forms of 0001 and 0006. All others stay as they are.

0001 was committed without `pace.search`. 0006 was committed without the durations of an attempt and the index of
submitted requests, and then with both, but without tallies. Each part is looked for before it is made.
"""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant, Money

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("attempts", "call_ms", sa.Integer()),
    ("attempts", "upload_ms", sa.Integer()),
    ("pace", "search", sa.Text()),
)
_LOOSE = sa.text("part > 0 OR jobs = 0")
_SUBMITTED = sa.text("request_id IS NOT NULL AND status IN ('scheduled', 'queued')")


def upgrade() -> None:
    """Apply this revision. It only adds, and takes no lock where nothing is missing."""
    # Jobs first, as in every revision: a producer locks them before all other tables.
    found = sa.inspect(op.get_bind())
    if "ix_jobs_submitted" not in {index["name"] for index in found.get_indexes("jobs")}:
        op.create_index(
            "ix_jobs_submitted", "jobs", ["fingerprint"], postgresql_where=_SUBMITTED, sqlite_where=_SUBMITTED
        )
    for table, name, kind in _COLUMNS:
        if name not in {column["name"] for column in found.get_columns(table)}:
            op.add_column(table, sa.Column(name, kind, nullable=True))
    if not found.has_table("tallies"):
        _create_tallies()


_KEY = "lane, tenant, model, priority, status, cached"
_SUM = f"INSERT INTO tallies ({_KEY}, part, jobs, cost, began_at, ended_at)"
_NEXT = "nextval('tallies_part')"
# Word for word as in 0006.
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
    """Existing jobs are counted under the lock with which the triggers begin: none is missed or counted twice."""
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
    """Change nothing: 0006 as it is now has all of this, and removes it."""
