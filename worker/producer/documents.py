"""Documents as rows: one job for the producer, and one for each part. Pure until `submit`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import Connection

from api_models.encodings import NO_TAGS
from api_models.formats import AudioFormat
from api_models.origins import DEFAULT_TENANT
from api_models.registry import MODELS
from api_models.speech import JobRequest
from api_models.timings import Timings
from api_models.wording import Wording
from worker.documents.document import Document
from worker.documents.plan.limits import PartLimits
from worker.documents.plan.plan import Delivery, Part, Plan
from worker.documents.plan.plan import plan as plan_document
from worker.documents.plan.revision import revise
from worker.documents.readers import text as text_reader
from worker.documents.stored_plan import JoinStyle, StoredPlan
from worker.intake.row_block import RowBlock
from worker.intake.validation import Row
from worker.producer.rows import new_id
from worker.store import documents
from worker.store.documents import FAR, DocumentRecord
from worker.store.transitions import actions

PLAIN: Final = JoinStyle()
_OF_THE_DOCUMENT: Final[dict[str, Any]] = {
    "custom_id": None,
    "line": None,
    "deadline": None,
    "audio_format": None,
    "target_lufs": None,
    "sample_rate": None,
    "mp3_bitrate": None,
    "audio_tags": NO_TAGS.kept(),
    "expires_after": None,
    "tags": None,
    "extra": None,
    "parts": None,
    "chosen": True,
    "wording": None,
    "timings": None,
    "provenance": None,
}
"""What a part doesn't share with its document. A part is retained as long as its document."""
_UNANNOUNCED: Final = ("callback_url", "notify")
_MAX_BYTES: Final = 4
"""UTF-8 bytes per character."""
_KEPT_SHARE: Final = 0.25
"""A text that keeps fewer of the former parts is another text."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a text was read from, and how its parts are joined."""

    document: Document
    style: JoinStyle
    plan: Plan | None = None
    """Of a script, whose parts are its turns; None to divide the text."""


class ContentOf(Protocol):
    """Returns the fingerprint of a request, for the tenant and API of the caller."""

    def __call__(self, request: JobRequest) -> str: ...


TWO_SPEAKERS: Final = "applies to texts of one call; a document has one speaker"
"""Why a document with a second voice is refused: a part may begin in the middle of a turn."""


@dataclass(frozen=True, slots=True)
class DocumentRows:
    job: dict[str, Any]
    parts: list[dict[str, Any]]
    record: DocumentRecord


def is_long(request: JobRequest, max_text_bytes: int | None) -> bool:
    """Whether a text needs more than one call, for its length or for what its markup asks."""
    if _has_parts(request):
        return True
    limit = request_limit(request.model, max_text_bytes)
    return len(request.text) * _MAX_BYTES > limit and len(request.text.encode()) > limit


def _has_parts(request: JobRequest) -> bool:
    return request.wording is not None and Wording.read(request.wording).has_parts


def request_limit(model: str, max_text_bytes: int | None) -> int:
    """UTF-8 bytes of one call's text: the operator's limit, or else the model's."""
    return max_text_bytes or MODELS[model].max_text_bytes


def plan_of(
    request: JobRequest,
    max_text_bytes: int | None,
    source: Source | None = None,
    previous: Sequence[str] = (),
) -> Plan:
    """Divide a request's text, by the structure of its source if it has one. Parts of the `previous` text are kept
    where they are still in it. Raises NothingToSpeakError.
    """
    if source is not None and source.plan is not None:
        return source.plan
    limits = PartLimits(max_bytes=request_limit(request.model, max_text_bytes))
    found = source.document if source is not None else _document_of(request)
    shares = [share for share in previous if share.strip()]
    if shares and sum(share.strip() in found.text for share in shares) >= _KEPT_SHARE * len(shares):
        return _voiced(revise(shares, found, limits), request)
    return _voiced(plan_document(found, limits), request)


def _document_of(request: JobRequest) -> Document:
    found = text_reader.read(request.text)
    if not _has_parts(request):
        return found
    from worker.documents.marked import marked  # noqa: PLC0415 - most texts have no markup

    return marked(found, Wording.read(request.wording or ""))


def _voiced(plan: Plan, request: JobRequest) -> Plan:
    """Let the parts be spoken by the voices that the markup names."""
    if not plan.document.voices:
        return plan
    places = [place for place, _ in plan.document.voices]
    parts = []
    for part in plan.parts:
        index = bisect_right(places, part.start + _indent(plan.share(part))) - 1
        voice = plan.document.voices[index][1] if index >= 0 else ""
        by = Delivery("", request.model, voice) if voice else None
        parts.append(replace(part, delivery=by))
    return replace(plan, parts=tuple(parts))


def _indent(share: str) -> int:
    return len(share) - len(share.lstrip())


def previous_shares(
    connection: Connection, tenant: str, custom_id: str | None, output_url: str | None
) -> Sequence[str]:
    """Return how the latest document of this name in this place was divided; nothing if there is none."""
    if custom_id is None or (known := documents.latest(connection, tenant, custom_id, output_url)) is None:
        return ()
    text, plan = known
    return [text[part.start : part.end] for part in StoredPlan.decode(plan).parts]


def part_requests(request: JobRequest, texts: Iterable[str]) -> list[JobRequest]:
    """Return what is requested for each part: the same voice and model, and a take as the API returns it."""
    plain = {
        "custom_id": None,
        "format": AudioFormat.WAV,
        "loudness": None,
        "sample_rate": None,
        "mp3_bitrate": None,
        "tags": (),
        **dict.fromkeys(("title", "artist", "album", "track", "deadline", "expires_after")),
    }
    return [request.model_copy(update={**plain, "text": text}) for text in texts]


def parts_of(request: JobRequest, plan: Plan) -> list[JobRequest]:
    """Return what is bought for a document."""
    requests = part_requests(request, (part.spoken for part in plan.parts))
    return [_delivered(one, part) for one, part in zip(requests, plan.parts, strict=True)]


def _delivered(request: JobRequest, part: Part) -> JobRequest:
    """Let a turn be spoken by its own voice."""
    if (by := part.delivery) is None:
        return request
    return request.model_copy(update={"model": by.model, "voice_1": by.voice, "voice_2": None})


def document_rows(
    job: dict[str, Any], request: JobRequest, plan: Plan, content_of: ContentOf, style: JoinStyle = PLAIN
) -> DocumentRows:
    """Turn the row of a job into that of a document, with its parts. `content_of` fingerprints their requests."""
    planned = StoredPlan.of(plan)
    shared = {name: value for name, value in job.items() if name not in _UNANNOUNCED} | _OF_THE_DOCUMENT
    requests = parts_of(request, plan)
    is_timed = request.timings in {Timings.SENTENCE, Timings.WORD}
    shared |= {"timings": str(Timings.WORD) if is_timed else None}
    parts = [
        {**shared, "id": new_id(), "parent": job["id"], "part": number}
        | {"text": part.text, "fingerprint": content_of(part)}
        | {"model": part.model, "voice_1": part.voice_1, "voice_2": part.voice_2}
        for number, part in enumerate(requests, 1)
    ]
    # The document itself is never copied or bought: its parts are.
    changes = {"status": "scheduled", "not_before": FAR, "use_cache": False, "parts": len(parts)}
    return DocumentRows(job | changes, parts, DocumentRecord(job["id"], planned.encode(), style.encode()))


@dataclass(slots=True)
class LongTexts:
    """Puts long texts of a batch aside while the others are written, in the order of their lines."""

    max_text_bytes: int | None
    row: Callable[..., dict[str, Any]]
    """Makes the row of one request; see `job_row`."""
    content_of: ContentOf
    sources: Mapping[str, Source] = field(default_factory=dict)
    """By the names of rows that are documents, however short."""
    output_url: str | None = None
    tenant: str = DEFAULT_TENANT
    _aside: list[tuple[UUID, Row]] = field(default_factory=list)

    def others(self, rows: Iterable[Row]) -> Iterator[Row]:
        for one in rows:
            if self._is_document(one.request):
                self._put_aside(one)
            else:
                yield one

    def _is_document(self, request: JobRequest) -> bool:
        return is_long(request, self.max_text_bytes) or (request.custom_id or "") in self.sources

    def other_pieces(self, pieces: Iterable[RowBlock]) -> Iterator[RowBlock]:
        for piece in pieces:
            limit = min(request_limit(model, self.max_text_bytes) for model in piece.each(attrgetter("model")))
            is_plain = not self.sources and not any(piece.each(_has_parts))
            if is_plain and max(map(len, piece.texts)) * _MAX_BYTES <= limit:
                yield piece
            else:
                yield from self._without_long(piece)

    def _without_long(self, piece: RowBlock) -> Iterator[RowBlock]:
        start = 0
        for index, one in enumerate(piece.rows()):
            if self._is_document(one.request):
                if start < index:
                    yield piece.part(start, index)
                self._put_aside(one)
                start = index + 1
        if start < len(piece):
            yield piece.part(start, len(piece))

    def _put_aside(self, one: Row) -> None:
        self._aside.append((new_id(), one))  # the id now, because lists are in the order of ids

    def submit(self, connection: Connection) -> int:
        """Write the long texts, as documents. Returns how many."""
        for job_id, one in self._aside:
            job = self.row(one.request, line=one.line, extra=one.extra) | {"id": job_id}
            source = self.sources.get(one.request.custom_id or "")
            previous = previous_shares(connection, self.tenant, one.request.custom_id, self.output_url)
            plan = plan_of(one.request, self.max_text_bytes, source, previous)
            style = PLAIN if source is None else source.style
            submit(connection, [document_rows(job, one.request, plan, self.content_of, style)])
        return len(self._aside)


def submit(connection: Connection, found: Sequence[DocumentRows]) -> int:
    """Write documents with their parts. Returns how many documents."""
    if found:
        actions.submit(connection, [one.job for one in found])
        documents.add(connection, [one.record for one in found])
        actions.submit(connection, (part for one in found for part in one.parts))
    return len(found)
