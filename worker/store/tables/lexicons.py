"""Lexicons."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base


class LexiconRow(Base):
    """One version of a lexicon. It is never changed: a change makes the next version."""

    __tablename__ = "lexicons"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    rules: Mapped[str]
    """`LexiconRule`s as a JSON list."""
    size: Mapped[int]
    """The number of its rules."""
    unapplied: Mapped[int]
    """How many of them have phonemes alone."""
    created_at: Mapped[datetime]

    __table_args__ = (Index("uq_lexicons_name", "tenant", "name", "version", unique=True),)
