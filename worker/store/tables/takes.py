"""What was heard in takes, and the rates at which voices speak."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base, partial_index


class TakeRow(Base):
    """A take that was listened to or marked. Takes that only the signal was measured of have no row."""

    __tablename__ = "takes"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Of the attempt that bought it."""
    tenant: Mapped[str] = mapped_column(String(64))
    batch_id: Mapped[UUID | None]
    model: Mapped[str] = mapped_column(String(64))
    voice: Mapped[str] = mapped_column(String(32))
    """Both voices of a dialogue, joined by a plus sign; empty for the model's own."""
    language: Mapped[str] = mapped_column(String(16))
    heard_at: Mapped[datetime]
    accepted: Mapped[bool]
    suspicious: Mapped[bool]
    seconds: Mapped[float] = mapped_column(Float)
    """Its length."""
    reference: Mapped[float | None] = mapped_column(Float)
    """Seconds that the text takes by the reference of the rate rung; None if nothing is to be learned from it."""
    source: Mapped[str] = mapped_column(String(12))
    """Where the reference comes from; a rate learned from one source says nothing of another."""
    rung: Mapped[str | None] = mapped_column(String(8))
    """The rung that made it suspicious, as the next five columns."""
    reason: Mapped[str | None]
    sentence: Mapped[str | None]
    """Removed with the job's text."""
    start_seconds: Mapped[float | None] = mapped_column(Float)
    end_seconds: Mapped[float | None] = mapped_column(Float)
    findings: Mapped[str]
    """All rungs' scores, as a JSON list."""
    mark: Mapped[str | None] = mapped_column(String(4))
    """What a listener said of it: `good` or `bad`."""
    learned: Mapped[bool]
    """Whether the rate of its voice counts it, or never will."""

    __table_args__ = (
        CheckConstraint("mark IN ('good', 'bad')", name="mark"),
        Index("ix_takes_batch", "batch_id"),
        Index("ix_takes_voice", "tenant", "model", "voice", "language", "source", "heard_at"),
        partial_index("ix_takes_unlearned", "heard_at", where="NOT learned"),
    )


class SpeakingRate(Base):
    """How long a voice takes: `seconds = a + b × reference`, with the median deviation from that."""

    __tablename__ = "speaking_rates"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    voice: Mapped[str] = mapped_column(String(32), primary_key=True)
    language: Mapped[str] = mapped_column(String(16), primary_key=True)
    source: Mapped[str] = mapped_column(String(12), primary_key=True)
    a: Mapped[float] = mapped_column(Float)
    b: Mapped[float] = mapped_column(Float)
    mad: Mapped[float] = mapped_column(Float)
    count: Mapped[int]
    """Takes it was learned from."""
    since: Mapped[datetime | None]
    """Earlier takes don't count: the rate was reset then."""
    learned_at: Mapped[datetime]
