"""Batches as HTTP clients submit and see them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from api_models.callbacks import Callback
from api_models.encodings import TAG_FIELDS, OptionalBitrate, OptionalRate, OptionalTagText, OptionalTrack
from api_models.formats import LOUDNESS_RANGE, AudioFormat
from api_models.jobs import Amount, JobIn
from api_models.key_templates import TemplateError, checked_template, own_folder
from api_models.status import JobStatus
from api_models.timings import OptionalTimings
from api_models.values import OptionalFlag, OptionalSpan

MAX_JOBS_IN_JSON: Final = 10_000
"""Larger batches are uploaded as CSV or JSONL, which is read line by line."""


def _jobs_documented(schema: dict[str, Any]) -> None:
    schema["properties"]["jobs"]["items"] = {"$ref": "#/components/schemas/JobIn"}


def _shared_template(value: str | None) -> str | None:
    """Batches submitted over HTTP share one store."""
    if value is None:
        return None
    try:
        return own_folder(checked_template(value, shared=True))
    except TemplateError as error:
        raise PydanticCustomError("key_template", "{why}", {"why": str(error)}) from None


def _sheet_template(value: str | None) -> str | None:
    """As above, for a sheet whose columns are not known yet."""
    if value is None:
        return None
    try:
        return own_folder(checked_template(value, shared=True, columns=None))
    except TemplateError as error:
        raise PydanticCustomError("key_template", "{why}", {"why": str(error)}) from None


SharedTemplate = Annotated[str | None, AfterValidator(_shared_template)]
"""How the batch's objects are named; None uses the settings."""
SheetTemplate = Annotated[str | None, AfterValidator(_sheet_template)]
"""As above; a sheet's template may also name its columns."""


_DEFAULTS: Final = (
    "format",
    "loudness",
    "sample_rate",
    "mp3_bitrate",
    *TAG_FIELDS,
    "expires_after",
    "timings",
    "provenance",
)


class BatchIn(Callback):
    """Texts submitted together."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_jobs_documented)

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = "batch"
    """A display name."""
    jobs: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_JOBS_IN_JSON)]
    """Each as a single job; every `custom_id` must be unique."""
    max_cost: Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=12)] | None = None
    """Maximum cost of its calls in US dollars; jobs beyond it are held, never failed."""
    format: AudioFormat | None = None
    """For jobs without a format."""
    loudness: Annotated[float, Field(ge=LOUDNESS_RANGE[0], le=LOUDNESS_RANGE[1])] | None = None
    """LUFS, for jobs without a loudness."""
    sample_rate: OptionalRate = None
    """Hz, for jobs without a sample rate."""
    mp3_bitrate: OptionalBitrate = None
    """kbit/s, for MP3s without a bitrate; without a format it requests MP3."""
    title: OptionalTagText = None
    """For MP3s without a title."""
    artist: OptionalTagText = None
    """For MP3s without an artist."""
    album: OptionalTagText = None
    """For MP3s without an album."""
    track: OptionalTrack = None
    """For MP3s without a track number."""
    expires_after: OptionalSpan = None
    """How long text and audio are kept after a job's end, unless the job has its own value: seconds, or as in 30d."""
    timings: OptionalTimings = None
    """For jobs that name none."""
    provenance: OptionalFlag = None
    """For jobs that say nothing."""
    key_template: SharedTemplate = None
    """How the objects are named, such as `{tenant}/{batch}/{model}/{custom_id}.{ext}`."""

    def defaults(self) -> dict[str, Any]:
        """Return the values for fields that a job leaves out."""
        return {name: value for name in _DEFAULTS if (value := getattr(self, name)) is not None}


class ResultFile(StrEnum):
    """The files written beside a finished batch's audio."""

    RESULTS = "results.jsonl"
    """Every succeeded job, one line of JSON each."""
    ERRORS = "errors.jsonl"
    """Every job without audio, one line of JSON each."""
    MANIFEST = "manifest.csv"
    """Every job, as a table."""


class BatchView(BaseModel):
    """One batch."""

    id: UUID
    name: str
    total: int
    counts: Annotated[dict[JobStatus, int], Field(description="Jobs by state; empty states are omitted.")]
    cached: int
    cost: Amount
    max_cost: Amount | None
    finished: Annotated[bool, Field(description="All of its jobs have finished.")]
    created_at: datetime
    paused_at: Annotated[datetime | None, Field(description="When the batch was paused; null if it is not paused.")]
    finished_at: Annotated[datetime | None, Field(description="When its result files were written; null before that.")]
    warnings: Annotated[list[str], Field(description="Texts whose markup may be read aloud; told upon submission.")]


class BatchPage(BaseModel):
    """One page of a list."""

    batches: list[BatchView]
    next_cursor: Annotated[str | None, Field(description="Pass as `cursor` for the next page; null on the last.")]


__all__ = ["BatchIn", "BatchPage", "BatchView", "JobIn", "ResultFile"]
