"""Worker processes and leases."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base


class Worker(Base):
    __tablename__ = "workers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    queue: Mapped[str]
    """The Celery queue it reads; a dispatcher counts only workers it can reach."""
    slots: Mapped[int]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    stopping: Mapped[bool]
    stopped_at: Mapped[datetime | None]
    trouble: Mapped[str | None]
    """Why it cannot accept paid work at the moment; a message for people."""
    version: Mapped[str | None] = mapped_column(String(32))
    key_fingerprint: Mapped[str | None] = mapped_column(String(64))
    """The first digits of the SHA-256 of its API key."""
    settings: Mapped[str | None]
    """Digests of the settings that must be alike in all workers, as a JSON object by name."""
    dropped_messages: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Broker messages that could never be served, since its start."""

    __table_args__ = (Index("ix_workers_stopped_at", "stopped_at"),)


class Installation(Base):
    """One row."""

    __tablename__ = "installation"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    id: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime]


class Lease(Base):
    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[UUID]
    expires_at: Mapped[datetime]
