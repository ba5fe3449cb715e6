"""Files and batches of OpenAI's protocol."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. It only adds, so that workers of the revision before go on meanwhile."""
    op.create_table(
        "openai_files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_openai_files")),
    )
    op.create_table(
        "openai_batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("completion_window", sa.String(length=8), nullable=False),
        sa.Column("labels", sa.Text(), nullable=True),
        sa.Column("errors", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("cancelling_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_openai_batches")),
    )
    # New tables are empty: their indexes block nobody.
    op.create_index("ix_openai_files_tenant", "openai_files", ["tenant", "id"], unique=False)
    op.create_index("ix_openai_batches_tenant", "openai_batches", ["tenant", "id"], unique=False)


def downgrade() -> None:
    """Undo this revision."""
    op.drop_index("ix_openai_batches_tenant", table_name="openai_batches")
    op.drop_index("ix_openai_files_tenant", table_name="openai_files")
    op.drop_table("openai_batches")
    op.drop_table("openai_files")
