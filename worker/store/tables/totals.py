"""Counters that only grow, and what the leader reports for autoscaling."""

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import VACUUM_EARLY, Base


class Total(Base):
    """One counter since the installation began; see `worker.store.totals`. Purging jobs does not change it."""

    __tablename__ = "totals"

    name: Mapped[str] = mapped_column(String(24), primary_key=True)
    label: Mapped[str] = mapped_column(String(24), primary_key=True)
    """A verdict, an outcome, or a bucket's upper bound; empty where the counter has none."""
    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    part: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """0 for the row with the total; other rows hold changes that are not yet folded into it."""
    value: Mapped[int] = mapped_column(BigInteger)
    """A number; picodollars or milliseconds where the counter is one of money or time."""

    __table_args__ = ({"postgresql_with": VACUUM_EARLY | {"fillfactor": 50}},)


class Scaling(Base):
    """One row, which the leader keeps: what `ttsq_scaling` cannot compute in SQL."""

    __tablename__ = "scaling"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    held_by_budget: Mapped[int] = mapped_column(BigInteger)
    """Queued jobs that a budget holds."""
    seen_at: Mapped[datetime]
