"""The contents of the files beside a recording: captions, chapters, transcript."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from api_models.timings import TimingsFormat
from worker.documents.captions import formats
from worker.documents.captions.cues import Cue, Heard, sentence_cues
from worker.documents.captions.layout import Caption, captions
from worker.documents.captions.timeline import Timeline
from worker.documents.containers.description import ChapterMark
from worker.documents.join.assembly import Assembly
from worker.documents.stored_plan import Sidecar

if TYPE_CHECKING:
    from worker.text.lexicon.edits import Edit


@dataclass(frozen=True, slots=True)
class Narration:
    """What a recording says: the text and chapter title of each part, in order."""

    texts: Sequence[str]
    titles: Sequence[str]
    """Empty before the first chapter."""
    language: str
    assembly: Assembly
    heard: Heard = field(default_factory=dict)
    """Words of the takes, where they are known."""
    edits: Mapping[int, Sequence[Edit]] = field(default_factory=dict)
    """By the number of a part, from 1: where its text differs from what was written, which is shown."""

    def cues(self) -> list[Cue]:
        return sentence_cues(self.texts, self.language, self.assembly, self.heard, self.edits)

    def written(self) -> Sequence[str]:
        """The text of each part as it was written."""
        if not self.edits:
            return self.texts
        from worker.text.lexicon.edits import undone  # noqa: PLC0415 - few documents have any

        return [undone(text, self.edits.get(number, ())) for number, text in enumerate(self.texts, 1)]


def chapter_marks(titles: Sequence[str], assembly: Assembly) -> Iterator[ChapterMark]:
    """Yield the chapters of a recording whose parts have these titles. Equal neighbours are one chapter."""
    starts = [
        (title, assembly.seconds(placed.start))
        for before, title, placed in zip(["", *titles], titles, assembly.placed, strict=False)
        if title and before != title
    ]
    ends = [start for _, start in starts[1:]] + [assembly.seconds(assembly.frames)]
    for (title, start), end in zip(starts, ends, strict=False):  # without a chapter there is one end too many
        yield ChapterMark(title, start, end)


def content(kind: Sidecar, narration: Narration) -> str:
    return _CONTENTS[kind](narration)


def _chapters(narration: Narration) -> str:
    marks = chapter_marks(narration.titles, narration.assembly)
    return formats.chapters_json([(mark.title, mark.start) for mark in marks])


def rendered(of: Timeline, form: TimingsFormat) -> str:
    """Return the times of a job's audio in a format that players read."""
    if form is TimingsFormat.JSON:
        return of.encode()
    return _RENDERERS[form](captions(of.cues(), of.language))


_RENDERERS: Final[Mapping[TimingsFormat, Callable[[Iterable[Caption]], str]]] = {
    TimingsFormat.SRT: formats.srt,
    TimingsFormat.VTT: formats.vtt,
    TimingsFormat.ASS: formats.ass,
}
_CONTENTS: Final[Mapping[Sidecar, Callable[[Narration], str]]] = {
    Sidecar.SRT: lambda of: formats.srt(captions(of.cues(), of.language)),
    Sidecar.VTT: lambda of: formats.vtt(captions(of.cues(), of.language)),
    Sidecar.ASS: lambda of: formats.ass(captions(of.cues(), of.language)),
    Sidecar.JSON: lambda of: formats.cues_json(of.cues()),
    Sidecar.CHAPTERS: _chapters,
    Sidecar.TRANSCRIPT: lambda of: formats.transcript(of.written(), [placed.speaker for placed in of.assembly.placed]),
}
