"""Files and batches of OpenAI's protocol. A batch that was accepted is a batch of jobs with the same id."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.tables.base import Base


class OpenAIFile(Base):
    """An uploaded file of requests. Its content lies in the audio store."""

    __tablename__ = "openai_files"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    """Bytes."""
    sha256: Mapped[str] = mapped_column(String(64))
    uri: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (Index("ix_openai_files_tenant", "tenant", "id"),)


class OpenAIBatch(Base):
    __tablename__ = "openai_batches"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """That of its jobs' batch, if the file was valid."""
    tenant: Mapped[str] = mapped_column(String(64))
    file_id: Mapped[UUID]
    completion_window: Mapped[str] = mapped_column(String(8))
    labels: Mapped[str | None]
    """The client's metadata, as a JSON object of strings."""
    errors: Mapped[str | None]
    """The errors of its file, as a JSON list; None if its jobs were queued."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    cancelling_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_openai_batches_tenant", "tenant", "id"),)
