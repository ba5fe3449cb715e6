"""Jobs as HTTP clients submit and see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api_models.callbacks import Callback
from api_models.encodings import MAX_TAG_CHARACTERS, MP3_BITRATES, SAMPLE_RATES, TRACK
from api_models.formats import LOUDNESS_RANGE, AudioFormat
from api_models.registry import DEFAULT_MODEL, MODELS, VOICES
from api_models.speech import JobRequest
from api_models.status import JobStatus
from api_models.timings import Timings
from api_models.values import LONGEST_SPAN_SECONDS

Amount = Annotated[
    str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["0.0067"], description="US dollars, exact, as text.")
]
"""Exact decimal amount."""


def _documented(schema: dict[str, Any]) -> None:
    """Describes in the schema what validators enforce."""
    properties = schema["properties"]
    properties.pop("wording", None)
    properties["text"] |= {"minLength": 1, "pattern": "[A-Za-z0-9]"}
    properties["model"] = {"type": "string", "enum": list(MODELS), "default": DEFAULT_MODEL}
    for name in ("voice_1", "voice_2"):
        properties[name] = {"anyOf": [{"type": "string", "enum": list(VOICES)}, {"type": "null"}], "default": None}
    properties["temperature"]["anyOf"][0] |= {"minimum": 0, "maximum": 2}
    low, high = LOUDNESS_RANGE
    properties["loudness"]["anyOf"][0] |= {"minimum": low, "maximum": high}
    properties["sample_rate"]["anyOf"][0] |= {"enum": list(SAMPLE_RATES)}
    properties["mp3_bitrate"]["anyOf"][0] |= {"enum": list(MP3_BITRATES)}
    properties["track"]["anyOf"][0] |= {"pattern": TRACK.pattern}
    for name in ("title", "artist", "album"):
        properties[name]["anyOf"][0] |= {"maxLength": MAX_TAG_CHARACTERS}
    properties["expires_after"]["anyOf"][0] |= {"minimum": 1, "maximum": LONGEST_SPAN_SECONDS}


class JobIn(Callback, JobRequest):
    """One text to speak."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra=_documented,
    )


class AudioView(BaseModel):
    """The audio of a job that succeeded."""

    content_type: str | None
    bytes: int | None
    sha256: str | None
    duration_ms: int | None
    url: Annotated[str, Field(description="URL of the audio: absolute with TTSQ_GATEWAY_URL, else a path.")]


class JobView(BaseModel):
    """One job."""

    id: UUID
    batch_id: UUID | None
    custom_id: str | None
    tags: list[str]
    status: JobStatus
    model: str
    voice_1: str | None
    voice_2: str | None
    temperature: float | None
    text: Annotated[str, Field(description="The text as it was submitted.")]
    spoken_text: Annotated[str | None, Field(description="What is spoken in its place, if that differs.")]
    lexicon: Annotated[str | None, Field(description="The lexicon that changed the text, with its version.")]
    priority: int
    not_before: datetime | None
    deadline: datetime | None
    format: AudioFormat
    loudness: Annotated[float | None, Field(description="Requested loudness in LUFS.")]
    sample_rate: Annotated[int | None, Field(description="Requested sample rate in Hz.")]
    mp3_bitrate: Annotated[int | None, Field(description="Requested MP3 bitrate in kbit/s.")]
    title: str | None
    artist: str | None
    album: str | None
    track: Annotated[str | None, Field(description="Track number that players show, such as 3 or 3/12.")]
    expires_after: Annotated[int | None, Field(description="Seconds after its end for which text and audio are kept.")]
    removed_at: Annotated[datetime | None, Field(description="When its text and audio were removed.")]
    attempts: Annotated[int, Field(description="Number of attempts started.")]
    code: Annotated[
        str | None,
        Field(description="Stable error code of a job without audio; `suspect_audio` if it may be wrong."),
    ]
    message: str | None
    cost: Amount
    cached: Annotated[bool, Field(description="The audio was copied from an earlier job; nothing was paid.")]
    audio: AudioView | None
    warnings: Annotated[list[str], Field(description="Markup in its text that may be read aloud.")]
    parts: Annotated[int | None, Field(description="Number of its parts; null for a text of one call.")]
    timings: Annotated[Timings, Field(description="How fine the times stored beside its audio are.")]
    provenance: Annotated[bool, Field(description="Whether a file beside its audio says where it is from.")]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class PartView(BaseModel):
    """A part of a document."""

    id: Annotated[UUID, Field(description="Its take: GET /v1/jobs/{id}/audio.")]
    part: int
    status: JobStatus
    chosen: Annotated[bool, Field(description="Whether the recording uses it.")]
    chapter: str
    text: str
    seconds: Annotated[float | None, Field(description="Estimated length.")]
    duration_ms: int | None
    cost: Amount
    code: str | None
    message: str | None


class PartList(BaseModel):
    """The parts of a document and their progress."""

    counts: Annotated[dict[str, int], Field(description="Number of parts by status.")]
    parts: list[PartView]


class JobPage(BaseModel):
    """One page of a list."""

    jobs: list[JobView]
    next_cursor: Annotated[str | None, Field(description="Pass as `cursor` for the next page; null on the last.")]


class AttemptView(BaseModel):
    """The outcome of one attempt."""

    number: int
    verdict: str
    code: str | None
    message: str | None
    cost: Amount
    cost_estimated: bool
    possibly_billed: bool
    started_at: datetime
    finished_at: datetime


class AttemptList(BaseModel):
    """The attempts of one job, in order."""

    attempts: list[AttemptView]


class Changed(BaseModel):
    """The result of a bulk change."""

    jobs: Annotated[int, Field(ge=0, description="How many were changed.")]


class EventView(BaseModel):
    """One event."""

    id: Annotated[int, Field(description="Increases with time. Pass as `after` for later events.")]
    type: str
    at: datetime
    subject: Annotated[str, Field(description="The id of a job or batch, or the name of a gate.")]
    data: dict[str, JsonValue]


class EventPage(BaseModel):
    """One page of the event log."""

    events: list[EventView]
    next_after: Annotated[int, Field(description="Pass as `after` for later events.")]
