"""Webhook endpoints whose messages are flat, and whose receivers know them by a header."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. It only adds: workers of the revision before send neither."""
    op.add_column("endpoints", sa.Column("flat", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("endpoints", sa.Column("header_name", sa.String(length=64), nullable=True))
    op.add_column("endpoints", sa.Column("header_value", sa.String(), nullable=True))


def downgrade() -> None:
    """Undo this revision: all messages have their fields in `data` alone."""
    op.drop_column("endpoints", "header_value")
    op.drop_column("endpoints", "header_name")
    op.drop_column("endpoints", "flat")
