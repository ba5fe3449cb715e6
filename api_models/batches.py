"""Batches as HTTP clients hand them in and see them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from api_models.formats import LOUDNESS_RANGE, AudioFormat
from api_models.jobs import MAX_CALLBACK_CHARACTERS, Amount, JobIn
from api_models.key_templates import TemplateError, checked_template
from api_models.status import JobStatus
from api_models.values import OptionalSpan

MAX_JOBS_IN_JSON: Final = 10_000
"""More come as an upload of CSV or JSONL, which is read a line at a time."""


def _jobs_documented(schema: dict[str, Any]) -> None:
    schema["properties"]["jobs"]["items"] = {"$ref": "#/components/schemas/JobIn"}


def _shared_template(value: str | None) -> str | None:
    """Batches that come over HTTP share a place with others."""
    if value is None:
        return None
    try:
        return checked_template(value, shared=True)
    except TemplateError as error:
        raise PydanticCustomError("key_template", "{why}", {"why": str(error)}) from None


def _sheet_template(value: str | None) -> str | None:
    """The same of a sheet, whose columns aren't known yet."""
    if value is None:
        return None
    try:
        return checked_template(value, shared=True, columns=None)
    except TemplateError as error:
        raise PydanticCustomError("key_template", "{why}", {"why": str(error)}) from None


SharedTemplate = Annotated[str | None, AfterValidator(_shared_template)]
"""How the objects of a batch are named; None: as the settings have it."""
SheetTemplate = Annotated[str | None, AfterValidator(_sheet_template)]
"""The same of a sheet, whose columns it may name."""


class BatchIn(BaseModel):
    """Texts that are handed in together."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_jobs_documented)

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = "batch"
    """What people call it."""
    jobs: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_JOBS_IN_JSON)]
    """Each as a job by itself; a `custom_id` may be there once."""
    callback_url: Annotated[str, Field(max_length=MAX_CALLBACK_CHARACTERS)] | None = None
    """Who is told when all of them are over, beside your endpoints."""
    max_cost: Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=12)] | None = None
    """US dollars that its calls may cost altogether; what is over is held, never failed."""
    format: AudioFormat | None = None
    """What the objects of jobs are that name no format."""
    loudness: Annotated[float, Field(ge=LOUDNESS_RANGE[0], le=LOUDNESS_RANGE[1])] | None = None
    """How loud, in LUFS, the audio of jobs is to be that don't say."""
    expires_after: OptionalSpan = None
    """How long after their ends text and audio of jobs are kept that don't say: seconds, or as in 30d."""
    key_template: SharedTemplate = None
    """How the objects are named, such as `{tenant}/{batch}/{model}/{custom_id}.{ext}`."""

    def defaults(self) -> dict[str, Any]:
        """What fills the fields that a job leaves out."""
        found = {"format": self.format, "loudness": self.loudness, "expires_after": self.expires_after}
        return {name: value for name, value in found.items() if value is not None}


class ResultFile(StrEnum):
    """The files that lie beside a batch's audio once all of it is over."""

    RESULTS = "results.jsonl"
    """Every job that succeeded, a line of JSON each."""
    ERRORS = "errors.jsonl"
    """Every job that ended without audio, likewise."""
    MANIFEST = "manifest.csv"
    """Every job, as a table."""


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
    paused_at: Annotated[datetime | None, Field(description="Since when none of its jobs starts; null: it goes on.")]
    finished_at: Annotated[datetime | None, Field(description="When its result files were there; null: not yet.")]


class BatchPage(BaseModel):
    """A part of a list."""

    batches: list[BatchView]
    next_cursor: Annotated[str | None, Field(description="Ask with `cursor` for what follows; null at the end.")]


__all__ = ["BatchIn", "BatchPage", "BatchView", "JobIn", "ResultFile"]
