"""API keys, idempotency keys, inbound hooks."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base


class ApiKey(Base):
    """A key that opens the HTTP API for one tenant. The key itself is stored nowhere."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    """What people call it."""
    hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the key, in hex."""
    prefix: Mapped[str] = mapped_column(String(16))
    """How the key begins: enough to know it by, far too little to use."""
    scopes: Mapped[str]
    """Separated by blanks."""
    rate: Mapped[int | None]
    """Requests a minute; None: no limit."""
    budget: Mapped[Decimal | None]
    """What the jobs handed in with it may cost altogether; None: no limit."""
    spent: Mapped[Decimal | None]
    """What the ledger's rows of its jobs add up to, as far as the dispatcher has read them; None until it was asked."""
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    """To the minute."""
    revoked_at: Mapped[datetime | None]

    __table_args__ = (Index("uq_api_keys_hash", "hash", unique=True), Index("ix_api_keys_tenant", "tenant"))


class IdempotencyKey(Base):
    """A request that must not be carried out twice, and what came of it: both are written, or neither."""

    __tablename__ = "idempotency_keys"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[UUID | None]
    batch_id: Mapped[UUID | None]
    created_at: Mapped[datetime]

    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)


class Hook(Base):
    """An address at which another system's webhooks become jobs."""

    __tablename__ = "hooks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    """The last part of its address; unique in the installation."""
    scheme: Mapped[str] = mapped_column(String(16))
    """How the sender proves who it is."""
    secret: Mapped[str]
    """Checking a signature takes the secret itself, so it can't be kept as a hash."""
    options: Mapped[str]
    """What else the scheme needs, such as a header's name, as a JSON object."""
    mapping: Mapped[str]
    """What makes jobs of a payload, as a JSON object."""
    created_at: Mapped[datetime]

    __table_args__ = (Index("uq_hooks_name", "name", unique=True),)


class HookDelivery(Base):
    """One webhook that a hook has taken, by the name its sender gives it: a second one makes no second job."""

    __tablename__ = "hook_deliveries"

    hook_id: Mapped[UUID] = mapped_column(ForeignKey("hooks.id", ondelete="CASCADE"), primary_key=True)
    delivery: Mapped[str] = mapped_column(String(255), primary_key=True)
    received_at: Mapped[datetime]
    jobs: Mapped[int]
    """How many came of it."""

    __table_args__ = (Index("ix_hook_deliveries_received_at", "received_at"),)
