"""Casts: the voices of a script's speakers, by name and version."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base


class CastRow(Base):
    """One version of a cast. Versions only grow, so that a version never means other voices."""

    __tablename__ = "casts"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    roles: Mapped[str | None]
    """As JSON; None once it is removed."""
    created_at: Mapped[datetime]
