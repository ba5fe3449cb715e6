"""What must be alike in all workers, in each worker's row."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. It only adds, so that workers of the revision before go on meanwhile."""
    op.add_column("workers", sa.Column("version", sa.String(length=32), nullable=True))
    op.add_column("workers", sa.Column("key_fingerprint", sa.String(length=64), nullable=True))
    op.add_column("workers", sa.Column("settings", sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo this revision."""
    with op.batch_alter_table("workers") as workers:
        workers.drop_column("settings")
        workers.drop_column("key_fingerprint")
        workers.drop_column("version")
