"""What a row of a sheet held beside the fields of a job, for the manifest."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision. It adds an empty column, so workers of the revision before go on meanwhile."""
    op.add_column("jobs", sa.Column("extra", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take this revision back: the manifests of batches that finish from now on lack those columns."""
    op.drop_column("jobs", "extra")
