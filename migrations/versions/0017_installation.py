"""The installation's id, which its queue and messages carry, and each worker's count of dropped messages."""

from datetime import UTC, datetime
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. It only adds, so that workers of the revision before go on meanwhile."""
    made = op.create_table(
        "installation",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
    )
    op.bulk_insert(made, [{"name": "queue", "id": uuid4().hex, "created_at": datetime.now(UTC)}])
    op.add_column("workers", sa.Column("dropped_messages", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    """Undo this revision: all installations of a broker read one queue again."""
    op.drop_column("workers", "dropped_messages")
    op.drop_table("installation")
