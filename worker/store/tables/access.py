"""API keys, idempotency keys, joined requests, inbound hooks."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base


class ApiKey(Base):
    """A key to the HTTP API for one tenant. Only its hash is stored."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the key, in hex."""
    prefix: Mapped[str] = mapped_column(String(16))
    """The first characters of the key: enough to recognise it, too few to use it."""
    scopes: Mapped[str]
    rate: Mapped[int | None]
    """Requests per minute; None for no limit."""
    budget: Mapped[Decimal | None]
    """Maximum total cost of the jobs submitted with it; None for no limit."""
    spent: Mapped[Decimal | None]
    """Sum of its jobs' ledger rows that the dispatcher has read; None until first computed."""
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (Index("uq_api_keys_hash", "hash", unique=True), Index("ix_api_keys_tenant", "tenant"))


class IdempotencyKey(Base):
    """A request that must run once, and its response. Both are written in the request's own transaction."""

    __tablename__ = "idempotency_keys"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[UUID | None]
    batch_id: Mapped[UUID | None]
    created_at: Mapped[datetime]

    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)


class JoinedRequest(Base):
    """Requests of one caller for one content. Its unique key makes them share one job, whichever process they reach."""

    __tablename__ = "joined_requests"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    caller: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The API key's id, or a word for callers without one."""
    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    job_id: Mapped[UUID]
    clients: Mapped[int]
    """Clients that wait for it; too high after a gateway process was killed."""
    created_at: Mapped[datetime]
    """When the job was submitted."""

    __table_args__ = (Index("ix_joined_requests_created_at", "created_at"),)


class Hook(Base):
    __tablename__ = "hooks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    """The last segment of its URL; unique in the installation."""
    scheme: Mapped[str] = mapped_column(String(16))
    secret: Mapped[str]
    """Stored in plain text, because checking a signature needs the secret itself."""
    old_secret: Mapped[str | None]
    """The previous secret; still accepted until it expires."""
    old_secret_until: Mapped[datetime | None]
    options: Mapped[str]
    mapping: Mapped[str]
    """How a payload becomes jobs, as a JSON object."""
    created_at: Mapped[datetime]

    __table_args__ = (Index("uq_hooks_name", "name", unique=True),)


class HookReceipt(Base):
    """A webhook that was accepted, by the sender's delivery id; a repeated delivery creates no second job.

    It outlives its hook: a captured request must not work again after the hook was removed and added with its secret.
    """

    __tablename__ = "hook_receipts"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    hook: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The hook's name."""
    delivery: Mapped[str] = mapped_column(String(255), primary_key=True)
    received_at: Mapped[datetime]
    jobs: Mapped[int]

    __table_args__ = (Index("ix_hook_receipts_received_at", "received_at"),)


class HookDelivery(Base):
    """As a receipt, by the hook's id: written for gateways of earlier versions, which know no receipts."""

    __tablename__ = "hook_deliveries"

    hook_id: Mapped[UUID] = mapped_column(ForeignKey("hooks.id", ondelete="CASCADE"), primary_key=True)
    delivery: Mapped[str] = mapped_column(String(255), primary_key=True)
    received_at: Mapped[datetime]
    jobs: Mapped[int]

    __table_args__ = (Index("ix_hook_deliveries_received_at", "received_at"),)
