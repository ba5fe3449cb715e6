"""What is known of the account: pace, gates, balance; tenants and their months."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base, partial_index


class LaneTakes(Base):
    """How the paid takes of one lane came out: a lane whose every take is refused is held."""

    __tablename__ = "lane_takes"

    lane: Mapped[UUID] = mapped_column(primary_key=True)
    """As of a job: its batch, or `NO_LANE`."""
    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    accepted: Mapped[bool]
    """A take was accepted since the lane was last resumed, or ever."""
    refused: Mapped[int]
    """Takes refused since the latest accepted one."""
    resumed: Mapped[bool]
    """It was held and resumed, and no take was accepted since: a few refused takes hold it again."""
    code: Mapped[str | None] = mapped_column(String(64))
    message: Mapped[str | None]
    """Of the latest refused take."""
    held_at: Mapped[datetime | None]
    """Since when none of its jobs may start."""

    __table_args__ = (partial_index("ix_lane_takes_held", "held_at", where="held_at IS NOT NULL"),)


class PaceRow(Base):
    """How fast the account may start calls; a new leader goes on where the old one stopped."""

    __tablename__ = "pace"

    account: Mapped[str] = mapped_column(String(32), primary_key=True)
    rpm: Mapped[float | None] = mapped_column(Float)
    next_start_at: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    strikes: Mapped[int]
    """429s since the last success; the pauses grow with it."""
    message: Mapped[str | None]
    search: Mapped[str | None]
    """What the search for an unknown limit has learnt, as JSON."""


class GateRow(Base):
    """Something that holds jobs back: the account, a model or the storage. A row exists once it has ever closed."""

    __tablename__ = "gates"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    scope: Mapped[str] = mapped_column(String(16))
    model: Mapped[str | None] = mapped_column(String(64))
    closed: Mapped[bool]
    code: Mapped[str]
    message: Mapped[str]
    since: Mapped[datetime]
    next_probe_at: Mapped[datetime]
    probes: Mapped[int]


class BalanceRow(Base):
    """What is left in the account, as an answer of the API last said."""

    __tablename__ = "balances"

    account: Mapped[str] = mapped_column(String(32), primary_key=True)
    remaining: Mapped[Decimal]
    seen_at: Mapped[datetime]
    low: Mapped[bool]
    """It has been said that the balance is low; said again only after it had recovered."""


class Tenant(Base):
    """Somebody whose jobs are kept apart from others'. A row exists only for one who has settings of its own."""

    __tablename__ = "tenants"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    monthly_budget: Mapped[Decimal | None]
    """What the calls of a calendar month (UTC) may cost; the rest is held until the next month. None: no limit."""
    output_url: Mapped[str | None]
    """Where its audio goes; None for the place in the settings."""


class TenantMonth(Base):
    """What one tenant's calls have cost in one calendar month (UTC), as far as the dispatcher has read the ledger."""

    __tablename__ = "tenant_months"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    """Such as 2026-11."""
    spent: Mapped[Decimal]
