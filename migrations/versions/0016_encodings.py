"""How audio is encoded beyond its format: sample rate, MP3 bitrate, and the tags that players show."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

COLUMNS = (("sample_rate", sa.Integer()), ("mp3_bitrate", sa.Integer()), ("audio_tags", sa.Text()))


def upgrade() -> None:
    """Apply this revision. It adds empty columns, so workers of the revision before go on meanwhile.

    Those workers ignore the columns: upgrade them before producers use the new fields.
    """
    for name, kind in COLUMNS:
        op.add_column("jobs", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    """Take this revision back: jobs that are not finished are encoded with the defaults."""
    for name, _ in reversed(COLUMNS):
        op.drop_column("jobs", name)
