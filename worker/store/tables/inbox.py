"""The inbox: requests that producers insert in their own transactions, and the roles that may do so."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from api_models.inbox import MAX_REQUEST_CHARACTERS
from worker.store.tables.base import VACUUM_EARLY, Base, partial_index

SIZE: Final = f"length(request) <= {MAX_REQUEST_CHARACTERS}"


class InboxRow(Base):
    """A request. Producers insert `id` and `request` only; the leader fills in the rest.

    On SQLite a producer may have written any value into any column, so these are read by `worker.store.inbox` alone.
    """

    __tablename__ = "inbox"

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    """Grows in the order of the inserts, not of the commits."""
    id: Mapped[UUID | None]
    """The job's id if the row becomes one; None if the producer leaves it to the leader."""
    request: Mapped[str]
    """JSON; empty once the row is a job."""
    tenant: Mapped[str | None] = mapped_column(String(64))
    """Whose job it is, as `ttsq_submit` has checked; None for the request's own field."""
    role: Mapped[str | None]
    """The database role that called `ttsq_submit`."""
    handled_at: Mapped[datetime | None]
    job_id: Mapped[UUID | None]
    """The job that it became; an earlier one if the idempotency key was used before."""
    faults: Mapped[str | None]
    """Why it was refused, as a JSON list of messages."""

    __table_args__ = (
        CheckConstraint(SIZE, name="size"),
        partial_index("ix_inbox_waiting", "number", where="handled_at IS NULL"),
        partial_index("ix_inbox_refused", "number", where="faults IS NOT NULL"),
        partial_index("ix_inbox_handled_at", "handled_at", where="handled_at IS NOT NULL"),
        {"postgresql_with": VACUUM_EARLY},
    )


class InboxProducer(Base):
    """A database role that may submit for a tenant by `ttsq_submit`, and do nothing else."""

    __tablename__ = "inbox_producers"

    role: Mapped[str] = mapped_column(String(63), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
