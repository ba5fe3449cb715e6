"""Makes a document's recording and the files beside it from the takes of its parts. Touches local files only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from api_models.timings import Timings
from worker.documents.errors import DocumentError
from worker.documents.stored_plan import ENDINGS, JoinStyle, PlannedPart, Sidecar, StoredPlan
from worker.environment import private_files
from worker.store.documents import DocumentRecord, PartRecord
from worker.store.transitions.claims import Claim

if TYPE_CHECKING:
    from worker.documents.captions.cues import Span
    from worker.documents.captions.sidecars import Narration
    from worker.documents.containers.description import Description
    from worker.documents.join.assembly import Assembly

CONTENT_TYPES: Final[Mapping[Sidecar, str]] = {
    Sidecar.SRT: "application/x-subrip",
    Sidecar.VTT: "text/vtt",
    Sidecar.ASS: "text/x-ssa",
    Sidecar.JSON: "application/json",
    Sidecar.CHAPTERS: "application/json+chapters",
    Sidecar.TRANSCRIPT: "text/plain",
    Sidecar.STEMS: "application/zip",
}
NOTHING: Final[Mapping[int, Sequence[Span]]] = MappingProxyType({})


class JoinRefusedError(Exception):
    """The takes can't be joined; the message names the place."""


@dataclass(frozen=True, slots=True)
class Material:
    record: DocumentRecord
    plan: StoredPlan
    style: JoinStyle
    parts: Sequence[PartRecord]
    """The chosen jobs, in order."""


@dataclass(frozen=True, slots=True)
class Finished:
    path: Path
    duration_ms: int
    peak_dbfs: float
    loudness_lufs: float
    sidecars: Mapping[Sidecar, Path]
    timings: str | None = None
    """The content of the file of times, if the job asked for one."""


def material(record: DocumentRecord, parts: Sequence[PartRecord]) -> Material:
    return Material(record, StoredPlan.decode(record.plan), JoinStyle.decode(record.style), parts)


def make(
    claim: Claim, of: Material, takes: Sequence[Path], into: Path, heard: Mapping[int, Sequence[Span]] = NOTHING
) -> Finished:
    """Join the takes into one file.

    `heard` has the words of the parts' takes, by index. Raises BadAudioError: a take can't be decoded;
    JoinRefusedError; OSError.
    """
    # Imported here, because it takes a quarter of a second that only workers with documents need.
    from worker.documents.join.assembly import Take  # noqa: PLC0415
    from worker.documents.join.recording import Form, record  # noqa: PLC0415 - likewise

    form = Form(claim.audio_format, claim.sample_rate, claim.mp3_bitrate)
    joined = [
        Take(take, part.gap, part.pause, part.speaker, part.gain_db, part.pace)
        for take, part in zip(takes, of.plan.parts, strict=True)
    ]
    stems = _beside(into, Sidecar.STEMS) if Sidecar.STEMS in of.style.sidecars else None
    try:
        found = record(
            joined,
            into,
            of.style.style(claim.target_lufs),
            lambda assembly: _description(claim, of, assembly),
            form,
            tracks=stems,
        )
    except DocumentError as error:
        raise JoinRefusedError(_with_places(str(error), of, takes)) from error
    loudness = found.loudness
    narration = _narration(of, claim.speech.text, found.assembly, heard)
    return Finished(
        into,
        round(found.seconds * 1000),
        round(loudness.true_peak_dbtp, 2),
        round(loudness.lufs, 2),
        _sidecars(of, narration, into) | ({} if stems is None else {Sidecar.STEMS: stems}),
        _timings(of, narration, claim.timings),
    )


def _with_places(message: str, of: Material, takes: Sequence[Path]) -> str:
    for take, part in zip(takes, of.parts, strict=True):
        message = message.replace(take.name, of.plan.place(part.part, part.text))
    return message


def _titles(of: Material) -> list[str]:
    return [of.plan.chapter(part.part) for part in of.parts]


def _description(claim: Claim, of: Material, assembly: Assembly) -> Description:
    from worker.documents.captions.sidecars import chapter_marks  # noqa: PLC0415 - likewise
    from worker.documents.containers.description import Description  # noqa: PLC0415 - likewise

    tags = claim.audio_tags
    return Description(
        tags.title or of.style.title or of.plan.title,
        tags.artist or of.style.author or of.plan.author,
        tags.album or of.style.album,
        tuple(chapter_marks(_titles(of), assembly)),
        track=tags.track or "",
    )


def _narration(of: Material, text: str, assembly: Assembly, heard: Mapping[int, Sequence[Span]]) -> Narration:
    from worker.documents.captions.sidecars import Narration  # noqa: PLC0415 - likewise

    texts = [_shown(planned, part, text) for planned, part in zip(of.plan.parts, of.parts, strict=True)]
    known = {index: words for index, words in heard.items() if not of.plan.parts[index].speaker}
    return Narration(texts, _titles(of), of.plan.language, assembly, known, of.plan.edits)


def _shown(planned: PlannedPart, part: PartRecord, text: str) -> str:
    """Return what captions show of a part: of a turn the script's words, without directions and styles."""
    if not planned.speaker:
        return part.text
    from worker.scripts.script import without_tags  # noqa: PLC0415 - likewise

    return without_tags(text[planned.start : planned.end]) or part.text


def _timings(of: Material, narration: Narration, level: Timings) -> str | None:
    if level is Timings.NONE:
        return None
    from worker.documents.captions.timeline import timeline  # noqa: PLC0415 - likewise

    return timeline(narration.texts, of.plan.language, narration.assembly, level, narration.heard).encode()


def _sidecars(of: Material, narration: Narration, beside: Path) -> dict[Sidecar, Path]:
    kinds = [kind for kind in of.style.sidecars if kind is not Sidecar.STEMS]
    if not kinds:
        return {}
    from worker.documents.captions.sidecars import content  # noqa: PLC0415 - likewise

    written: dict[Sidecar, Path] = {}
    for kind in kinds:
        written[kind] = _beside(beside, kind)
        private_files.make_file(written[kind])
        written[kind].write_text(content(kind, narration), encoding="utf-8")
    return written


def _beside(recording: Path, kind: Sidecar) -> Path:
    return recording.with_name(f"{recording.stem}-{kind}{recording.suffix}")


def sidecar_key(key: str, kind: Sidecar) -> str:
    return key.rpartition(".")[0] + ENDINGS[kind]


def encoded_sidecars(uris: Mapping[Sidecar, str]) -> str:
    return json.dumps({str(kind): uri for kind, uri in uris.items()})
