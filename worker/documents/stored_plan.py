"""What the database keeps of a plan, and of how its parts are joined. Texts are kept in the parts' jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from api_models.formats import AudioFormat
from worker.documents.document import excerpt
from worker.documents.join.style import GAP_SECONDS, PRESETS, Preset, Style
from worker.documents.plan.plan import Gap, Part, Plan

if TYPE_CHECKING:
    from worker.text.lexicon.edits import Edit

_SECONDS_DIGITS: Final = 1


class Sidecar(StrEnum):
    """A file beside the recording."""

    SRT = "srt"
    VTT = "vtt"
    ASS = "ass"
    """Advanced SubStation Alpha."""
    JSON = "json"
    """Sentences with their times and where these come from."""
    CHAPTERS = "chapters"
    """Podcasting 2.0."""
    TRANSCRIPT = "transcript"
    STEMS = "stems"
    """A zip archive with one track for each speaker."""


ENDINGS: Final[Mapping[Sidecar, str]] = {
    Sidecar.SRT: ".srt",
    Sidecar.VTT: ".vtt",
    Sidecar.ASS: ".ass",
    Sidecar.JSON: ".json",
    Sidecar.CHAPTERS: ".chapters.json",
    Sidecar.TRANSCRIPT: ".txt",
    Sidecar.STEMS: ".stems.zip",
}


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """A part's share of the text is `text[start:end]`."""

    start: int
    end: int
    seconds: float
    """Estimated."""
    chapter: int
    """Index into the chapters; -1 before the first one."""
    gap: Gap
    pause: float | None = None
    """As in `Part`."""
    speaker: str = ""
    gain_db: float = 0.0
    pace: float = 1.0

    @classmethod
    def of(cls, part: Part) -> PlannedPart:
        found = cls(part.start, part.end, round(part.seconds, _SECONDS_DIGITS), part.chapter, part.gap, part.pause)
        if (by := part.delivery) is None:
            return found
        return replace(found, speaker=by.speaker, gain_db=by.gain_db, pace=by.pace)

    def encoded(self) -> list[Any]:
        """Return a list whose last element holds what differs from a plain text's part, if anything does."""
        given = {name: getattr(self, name) for name in _OF_TURNS if getattr(self, name) != _OF_TURNS[name]}
        return [self.start, self.end, self.seconds, self.chapter, self.gap, *([given] if given else ())]

    @classmethod
    def decoded(cls, start: int, end: int, seconds: float, chapter: int, gap: str, *given: Any) -> PlannedPart:  # noqa: ANN401 - JSON
        return cls(start, end, seconds, chapter, Gap(gap), **(given[0] if given else {}))


_OF_TURNS: Final[Mapping[str, Any]] = {"pause": None, "speaker": "", "gain_db": 0.0, "pace": 1.0}


@dataclass(frozen=True, slots=True)
class StoredPlan:
    language: str
    title: str
    author: str
    chapters: tuple[str, ...]
    parts: tuple[PlannedPart, ...]
    edits: Mapping[int, tuple[Edit, ...]] = field(default_factory=dict)
    """By the number of a part, from 1: where its text differs from what was written."""

    @classmethod
    def of(cls, plan: Plan) -> StoredPlan:
        parts = map(PlannedPart.of, plan.parts)
        document = plan.document
        chapters = tuple(chapter.title for chapter in document.chapters)
        return cls(plan.language, document.title, document.author, chapters, tuple(parts), _edits(plan))

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)

    def chapter(self, part: int) -> str:
        """Return the title of the chapter that holds a part, counted from 1; empty before the first chapter."""
        chapter = self.parts[part - 1].chapter
        return self.chapters[chapter] if chapter >= 0 else ""

    def place(self, part: int, text: str) -> str:
        """Describe where in the document a part lies, for messages."""
        chapter = self.chapter(part)
        where = f"part {part:,} of {len(self.parts):,}" + (f", {excerpt(chapter)}" if chapter else "")
        return f"{where}, at “{excerpt(text)}”"

    def encode(self) -> str:
        parts = [part.encoded() for part in self.parts]
        named = {"language": self.language, "title": self.title, "author": self.author}
        found: dict[str, Any] = {**named, "chapters": self.chapters, "parts": parts}
        if self.edits:  # of its own, because older workers read the parts
            found["edits"] = [
                [number, edit.start, edit.end, edit.original] for number, edits in self.edits.items() for edit in edits
            ]
        return json.dumps(found, ensure_ascii=False)

    @classmethod
    def decode(cls, stored: str) -> StoredPlan:
        found: dict[str, Any] = json.loads(stored)
        parts = (PlannedPart.decoded(*part) for part in found["parts"])
        edits: dict[int, tuple[Edit, ...]] = {}
        for number, start, end, original in found.get("edits", ()):
            from worker.text.lexicon.edits import Edit  # noqa: PLC0415 - few documents have any

            edits[number] = (*edits.get(number, ()), Edit(start, end, original))
        named = (found["language"], found["title"], found["author"])
        return cls(*named, tuple(found["chapters"]), tuple(parts), edits)


def _edits(plan: Plan) -> dict[int, tuple[Edit, ...]]:
    if not plan.document.edits:
        return {}
    from worker.documents.plan.spelling import edits_of_parts  # noqa: PLC0415 - likewise

    return edits_of_parts(plan)


@dataclass(frozen=True, slots=True)
class JoinStyle:
    """How a document's takes become its recording. What is empty here is taken from the job or the document."""

    preset: str = ""
    """A name in `PRESETS`; empty for the job's loudness, if it has one."""
    gaps: Mapping[Gap, float] = field(default_factory=dict)
    """Pauses in seconds that differ from the usual ones."""
    levelled: bool = True
    sidecars: tuple[Sidecar, ...] = ()
    title: str = ""
    author: str = ""
    album: str = ""

    def style(self, lufs: float | None) -> Style:
        """`lufs` is the job's own target."""
        preset = PRESETS[self.preset] if self.preset else Preset("job", lufs)
        return Style(preset, {**GAP_SECONDS, **self.gaps}, self.levelled)

    def format_fault(self, form: AudioFormat) -> str | None:
        """Return why a recording of this format can't be what the preset requires."""
        preset = PRESETS.get(self.preset)
        if preset is None or preset.delivery is None or form is AudioFormat.MP3:
            return None
        return f"preset {self.preset} is delivered as MP3, not as {form}"

    def encode(self) -> str:
        given = {
            "preset": self.preset,
            "gaps": dict(self.gaps),
            "levelled": self.levelled,
            "sidecars": list(self.sidecars),
            "title": self.title,
            "author": self.author,
            "album": self.album,
        }
        return json.dumps(given, ensure_ascii=False)

    @classmethod
    def decode(cls, stored: str) -> JoinStyle:
        found: dict[str, Any] = json.loads(stored)
        gaps = {Gap(kind): seconds for kind, seconds in found.pop("gaps").items()}
        sidecars = tuple(map(Sidecar, found.pop("sidecars")))
        return cls(gaps=gaps, sidecars=sidecars, **found)
