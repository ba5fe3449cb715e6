"""Single flight: a job that waits for another one to buy the same content."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. It only adds, so that workers of the revision before go on meanwhile."""
    op.add_column("jobs", sa.Column("follows", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_jobs_follows",
        "jobs",
        ["follows"],
        unique=False,
        postgresql_where=sa.text("follows IS NOT NULL"),
        sqlite_where=sa.text("follows IS NOT NULL"),
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index("ix_jobs_follows", table_name="jobs")
    op.drop_column("jobs", "follows")
