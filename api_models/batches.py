"""Batches as HTTP clients hand them in and see them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api_models.jobs import MOST_CALLBACK_CHARACTERS, Amount, JobIn
from api_models.status import JobStatus

MOST_JOBS_IN_JSON: Final = 10_000
"""More come as an upload of CSV or JSONL, which is read a line at a time."""


def _jobs_documented(schema: dict[str, Any]) -> None:
    schema["properties"]["jobs"]["items"] = {"$ref": "#/components/schemas/JobIn"}


class BatchIn(BaseModel):
    """Texts that are handed in together."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_jobs_documented)

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = "batch"
    """What people call it."""
    jobs: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_JOBS_IN_JSON)]
    """Each as a job by itself; a `custom_id` may be there once."""
    callback_url: Annotated[str, Field(max_length=MOST_CALLBACK_CHARACTERS)] | None = None
    """Who is told when all of them are over, beside your endpoints."""
    max_cost: Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=12)] | None = None
    """US dollars that its calls may cost altogether; what is over is held, never failed."""


class BatchView(BaseModel):
    """One batch."""

    id: UUID
    name: str
    total: int
    counts: Annotated[dict[JobStatus, int], Field(description="Its jobs by state; states without any are left out.")]
    cached: int
    cost: Amount
    max_cost: Amount | None
    finished: Annotated[bool, Field(description="All of its jobs are over.")]
    created_at: datetime


class BatchPage(BaseModel):
    """A part of a list."""

    batches: list[BatchView]
    next_cursor: Annotated[str | None, Field(description="Ask with `cursor` for what follows; null at the end.")]


__all__ = ["BatchIn", "BatchPage", "BatchView", "JobIn"]
