"""What the gateway returns, typed. Fields that a later gateway adds are in `raw`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, TypedDict
from uuid import UUID

from ttsq_client.errors import JobFailedError, UnexpectedResponseError

TERMINAL: Final = frozenset({"succeeded", "failed", "cancelled", "expired"})
"""The states of a job that has finished."""

Json = Mapping[str, Any]


class JobFields(TypedDict, total=False):
    """The fields of a job beside its text. The gateway documents and checks them."""

    model: str
    voice_1: str
    voice_2: str
    temperature: float
    custom_id: str
    priority: int
    not_before: datetime | str
    deadline: datetime | str
    cache: Literal["use", "bypass"]
    variant: int
    tags: Sequence[str]
    format: Literal["wav", "flac", "mp3", "opus"]
    loudness: float
    sample_rate: int
    mp3_bitrate: int | str
    title: str
    artist: str
    album: str
    track: str
    expires_after: int | str
    lexicon: str
    clean: Literal["html", "markdown", "ssml", "auto"]
    timings: Literal["none", "part", "sentence", "word"]
    provenance: bool
    callback_url: str
    webhook_url: str


class JobRequest(JobFields):
    """A job of many: its text and other fields."""

    text: str


@dataclass(frozen=True, slots=True)
class Audio:
    content_type: str | None
    bytes: int | None
    sha256: str | None
    duration_ms: int | None
    url: str


@dataclass(frozen=True, slots=True)
class Job:
    id: str
    status: str
    text: str
    model: str
    custom_id: str | None
    batch_id: str | None
    tags: tuple[str, ...]
    code: str | None
    """Why there is no audio: a stable name."""
    message: str | None
    cost: Decimal
    """US dollars, exact."""
    cached: bool
    audio: Audio | None
    warnings: tuple[str, ...]
    created_at: datetime
    finished_at: datetime | None
    raw: Json = field(repr=False, compare=False)

    @property
    def has_finished(self) -> bool:
        return self.status in TERMINAL

    def raise_if_failed(self) -> None:
        """Raise JobFailedError if the job finished without audio."""
        if self.has_finished and self.status != "succeeded":
            raise JobFailedError(self)


@dataclass(frozen=True, slots=True)
class Batch:
    id: str
    name: str
    total: int
    counts: Mapping[str, int]
    """Jobs by state; empty states are left out."""
    cost: Decimal
    max_cost: Decimal | None
    has_finished: bool
    """All of its jobs have finished."""
    created_at: datetime
    finished_at: datetime | None
    """When its result files were written."""
    warnings: tuple[str, ...]
    raw: Json = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Event:
    id: int
    type: str
    at: datetime
    subject: str
    """The id of a job or batch, or the name of a gate."""
    data: Json


@dataclass(frozen=True, slots=True)
class Quote:
    texts: int
    calls: int
    """Texts that would be bought."""
    cached: int
    cost: Decimal
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    slug: str
    title: str
    price: Decimal
    """US dollars per text, as published."""
    voices: tuple[str, ...]
    max_text_bytes: int


@dataclass(frozen=True, slots=True)
class Voice:
    name: str
    character: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spend:
    paid: Decimal
    lines: tuple[Json, ...]


class Reader:
    """Reads the fields of one JSON object. A missing or wrong one is an UnexpectedResponseError that names it."""

    def __init__(self, content: object) -> None:
        if not isinstance(content, Mapping):
            raise UnexpectedResponseError("the response is not the JSON object of a ttsq gateway")
        self.raw: Json = content

    def text(self, name: str) -> str:
        return str(self._of(name, str))

    def optional_text(self, name: str) -> str | None:
        return None if self.raw.get(name) is None else self.text(name)

    def number(self, name: str) -> int:
        return int(self._of(name, int))

    def optional_number(self, name: str) -> int | None:
        return None if self.raw.get(name) is None else self.number(name)

    def flag(self, name: str) -> bool:
        return bool(self._of(name, bool))

    def amount(self, name: str) -> Decimal:
        try:
            found = Decimal(self.text(name))
        except InvalidOperation:
            raise _unexpected(name) from None
        if not found.is_finite():
            raise _unexpected(name)
        return found

    def optional_amount(self, name: str) -> Decimal | None:
        return None if self.raw.get(name) is None else self.amount(name)

    def id(self, name: str) -> str:
        return checked_id(self.text(name), UnexpectedResponseError(f"`{name}` of the response is not an id"))

    def optional_id(self, name: str) -> str | None:
        return None if self.raw.get(name) is None else self.id(name)

    def moment(self, name: str) -> datetime:
        try:
            found = datetime.fromisoformat(self.text(name))
        except ValueError:
            raise _unexpected(name) from None
        if found.tzinfo is None:
            raise _unexpected(name)
        return found

    def optional_moment(self, name: str) -> datetime | None:
        return None if self.raw.get(name) is None else self.moment(name)

    def items(self, name: str) -> list[Any]:
        return list(self._of(name, list))

    def texts(self, name: str) -> tuple[str, ...]:
        found = self.items(name)
        if not all(isinstance(item, str) for item in found):
            raise _unexpected(name)
        return tuple(found)

    def object(self, name: str) -> Json:
        found: Json = self._of(name, dict)
        return found

    def _of(self, name: str, kind: type) -> Any:  # noqa: ANN401 - as `kind` says
        found = self.raw.get(name)
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            raise _unexpected(name)
        return found


def job(content: object) -> Job:
    read = Reader(content)
    return Job(
        id=read.id("id"),
        status=read.text("status"),
        text=read.text("text"),
        model=read.text("model"),
        custom_id=read.optional_text("custom_id"),
        batch_id=read.optional_id("batch_id"),
        tags=read.texts("tags"),
        code=read.optional_text("code"),
        message=read.optional_text("message"),
        cost=read.amount("cost"),
        cached=read.flag("cached"),
        audio=None if read.raw.get("audio") is None else _audio(read.raw["audio"]),
        warnings=read.texts("warnings"),
        created_at=read.moment("created_at"),
        finished_at=read.optional_moment("finished_at"),
        raw=read.raw,
    )


def _audio(content: object) -> Audio:
    read = Reader(content)
    return Audio(
        content_type=read.optional_text("content_type"),
        bytes=read.optional_number("bytes"),
        sha256=read.optional_text("sha256"),
        duration_ms=read.optional_number("duration_ms"),
        url=read.text("url"),
    )


def batch(content: object) -> Batch:
    read = Reader(content)
    counts = Reader(read.object("counts"))
    return Batch(
        id=read.id("id"),
        name=read.text("name"),
        total=read.number("total"),
        counts={status: counts.number(status) for status in counts.raw},
        cost=read.amount("cost"),
        max_cost=read.optional_amount("max_cost"),
        has_finished=read.flag("finished"),
        created_at=read.moment("created_at"),
        finished_at=read.optional_moment("finished_at"),
        warnings=read.texts("warnings"),
        raw=read.raw,
    )


def event(content: object) -> Event:
    read = Reader(content)
    return Event(read.number("id"), read.text("type"), read.moment("at"), read.text("subject"), read.object("data"))


def quote(content: object) -> Quote:
    read = Reader(content)
    counts = (read.number("texts"), read.number("calls"), read.number("cached"))
    return Quote(*counts, read.amount("cost"), read.texts("warnings"))


def model(content: object) -> Model:
    read = Reader(content)
    return Model(
        read.text("slug"),
        read.text("title"),
        read.amount("price"),
        read.texts("voices"),
        read.number("max_text_bytes"),
    )


def voice(content: object) -> Voice:
    read = Reader(content)
    return Voice(read.text("name"), read.text("character"), read.texts("models"))


def checked_id(value: str, error: Exception) -> str:
    """Return an id in its usual form. It becomes part of a path, so nothing else may pass."""
    try:
        return str(UUID(value))
    except (ValueError, AttributeError, TypeError):
        raise error from None


def _unexpected(name: str) -> UnexpectedResponseError:
    return UnexpectedResponseError(f"`{name}` of the response is missing, or not what a ttsq gateway sends")
