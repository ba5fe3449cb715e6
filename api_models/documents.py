"""Documents as HTTP clients submit and see them: files that become one recording."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from api_models.casts import RoleIn
from api_models.jobs import Amount, JobView

MAX_NAME_CHARACTERS: Final = 255
SIDECARS: Final = ("srt", "vtt", "ass", "json", "chapters", "transcript")


def _documented(schema: dict[str, Any]) -> None:
    schema["properties"]["content"] |= {"contentEncoding": "base64"}
    schema["properties"]["job"] |= {"additionalProperties": True}


class DocumentIn(BaseModel):
    """A file to be spoken as one recording."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_documented)

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS, examples=["book.epub"])]
    """Its suffix names the format: .txt, .md, .html, .docx, .epub, .pdf, .srt or .vtt. A script may be .fountain, .ass,
    .json, .csv or .xlsx too.
    """
    content: str
    """The file in Base64."""
    job: dict[str, Any] = {}
    """Fields of a job beside its text, such as voice_1, format, title or callback_url."""
    captions: list[Literal["srt", "vtt", "ass", "json", "chapters", "transcript"]] = []
    """Files that are stored beside the recording."""
    cast: Annotated[dict[str, RoleIn | str] | str | None, Field(examples=["season@2"])] = None
    """Makes the file a script: the name of a cast with an optional version, or roles by the names of speakers."""
    stems: bool = False
    """Whether a zip archive with one track for each speaker of a script is stored too."""
    preset: Literal["", "none", "podcast", "broadcast", "audiobook-acx"] = ""
    """Loudness of the recording. What Audible requires (audiobook-acx) needs the format mp3."""
    max_cost: Annotated[Decimal | None, Field(gt=0)] = None
    """Budget in US dollars; parts beyond it are held."""
    dry_run: bool = False
    """Plan and price only: nothing is stored or bought."""


class ChapterView(BaseModel):
    """A chapter and its parts."""

    title: Annotated[str, Field(description="Empty before the first chapter.")]
    parts: int
    seconds: Annotated[float, Field(description="Estimated.")]


class SkippedView(BaseModel):
    """What is not spoken."""

    what: str
    where: str
    text: str


class SpeakerView(BaseModel):
    """A speaker of a script."""

    name: str
    voice: str
    model: str
    parts: int
    seconds: Annotated[float, Field(description="Estimated.")]
    cost: Amount


class PlanView(BaseModel):
    """How a document is divided, and what its parts cost."""

    title: str
    author: str
    language: str
    characters: int
    parts: int
    seconds: Annotated[float, Field(description="Estimated.")]
    cost: Annotated[Amount, Field(description="At the list price, without copies of parts that were bought before.")]
    chapters: list[ChapterView]
    speakers: Annotated[list[SpeakerView], Field(description="Of a script; otherwise empty.")] = []
    skipped: Annotated[list[SkippedView], Field(description="At most 100.")]
    warnings: list[str]


class DocumentMade(BaseModel):
    """A submitted document. After a dry run the job is null."""

    job: JobView | None
    plan: PlanView


class DocumentView(BaseModel):
    """A document and its progress."""

    job: JobView
    counts: Annotated[dict[str, int], Field(description="Number of parts by status.")]
    chapters: Annotated[list[ChapterView], Field(description="Empty once its text was removed.")]
    files: Annotated[list[str], Field(description="Files beside the recording: GET /v1/documents/{id}/files/{kind}.")]
