"""Paid takes by lane: what holds a lane whose every take is refused."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_HELD = sa.text("held_at IS NOT NULL")


def upgrade() -> None:
    """Apply this revision. It only adds, so that workers of the revision before go on meanwhile."""
    op.create_table(
        "lane_takes",
        sa.Column("lane", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("resumed", sa.Boolean(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("held_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("lane", "tenant", "model", name=op.f("pk_lane_takes")),
    )
    # A new table is empty: its index blocks nobody.
    op.create_index(
        "ix_lane_takes_held", "lane_takes", ["held_at"], unique=False, postgresql_where=_HELD, sqlite_where=_HELD
    )


def downgrade() -> None:
    """Undo this revision."""
    op.drop_index("ix_lane_takes_held", table_name="lane_takes", postgresql_where=_HELD, sqlite_where=_HELD)
    op.drop_table("lane_takes")
