"""The account's pace, gates and balance; tenants and their monthly spending."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base, partial_index


class LaneTakes(Base):
    """Results of one lane's paid takes: a lane whose takes are all refused is held."""

    __tablename__ = "lane_takes"

    lane: Mapped[UUID] = mapped_column(primary_key=True)
    """The job's batch, or `NO_LANE`."""
    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    accepted: Mapped[bool]
    """Whether a take was accepted since the lane was last resumed (or ever)."""
    refused: Mapped[int]
    """Takes refused since the latest accepted one."""
    resumed: Mapped[bool]
    """The lane was held and resumed, and no take was accepted since: fewer refused takes hold it again."""
    code: Mapped[str | None] = mapped_column(String(64))
    message: Mapped[str | None]
    held_at: Mapped[datetime | None]

    __table_args__ = (partial_index("ix_lane_takes_held", "held_at", where="held_at IS NOT NULL"),)


class PaceRow(Base):
    __tablename__ = "pace"

    account: Mapped[str] = mapped_column(String(32), primary_key=True)
    rpm: Mapped[float | None] = mapped_column(Float)
    next_start_at: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    strikes: Mapped[int]
    """429s since the last success; pauses grow with it."""
    message: Mapped[str | None]
    search: Mapped[str | None]
    """State of the search for an unknown limit, as JSON."""


class GateRow(Base):
    """A gate (circuit breaker) of the account, a model or the store. The row exists once the gate has closed for the
    first time.
    """

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
    __tablename__ = "balances"

    account: Mapped[str] = mapped_column(String(32), primary_key=True)
    remaining: Mapped[Decimal]
    seen_at: Mapped[datetime]
    low: Mapped[bool]
    """A low balance was reported; reported again only after the balance has recovered."""


class Tenant(Base):
    """A tenant that has settings. Other tenants have no row."""

    __tablename__ = "tenants"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    monthly_budget: Mapped[Decimal | None]
    """Maximum cost of a calendar month (UTC); further jobs are held until the next month. None for no limit."""
    output_url: Mapped[str | None]
    """Where its audio is stored; None for the location in the settings."""


class TenantMonth(Base):
    __tablename__ = "tenant_months"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    spent: Mapped[Decimal]
