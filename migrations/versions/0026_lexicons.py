"""Lexicons, and what a producer wrote where a job's text was changed before it was planned."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. It adds an empty column and a table, so workers of the revision before go on meanwhile: the
    text that they send is the changed one.
    """
    op.add_column("jobs", sa.Column("wording", sa.Text(), nullable=True))
    op.create_table(
        "lexicons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("unapplied", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lexicons")),
    )
    op.create_index("uq_lexicons_name", "lexicons", ["tenant", "name", "version"], unique=True)


def downgrade() -> None:
    """Undo this revision. What producers wrote is lost where a text was changed; what is spoken stays."""
    op.drop_table("lexicons")
    op.drop_column("jobs", "wording")
