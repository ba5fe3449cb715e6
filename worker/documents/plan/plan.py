"""The plan of a document: its parts in order, which together are its text exactly."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from worker.documents.document import Block, BlockKind, Document, Slot
from worker.documents.errors import NothingToSpeakError
from worker.documents.plan.cuts import Ruler, cuts
from worker.documents.plan.languages import guess, primary
from worker.documents.plan.limits import PartLimits
from worker.documents.plan.places import places
from worker.documents.plan.spoken import SENTENCE_END, spoken
from worker.documents.plan.unbreakable import Unbreakable

ORPHAN: Final = 0.25
"""In targets: a shorter piece joins a neighbour."""


class Gap(StrEnum):
    """What separates a part from the next one. Decides the pause between them."""

    NONE = "none"
    """The sentence continues."""
    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"
    HEADING = "heading"
    """After a heading."""
    REPLY = "reply"
    """Another speaker answers."""
    THOUGHT = "thought"
    """The same speaker begins anew."""
    SCENE = "scene"
    CHAPTER = "chapter"
    END = "end"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Who speaks a part of a script, and how."""

    speaker: str
    model: str
    voice: str
    gain_db: float = 0.0
    """Above the other speakers."""
    pace: float = 1.0
    """1.1 is a tenth faster, at the same pitch."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one call speaks. `text[start:end]` of the document is its share, `spoken` what is sent for it."""

    start: int
    end: int
    spoken: str
    seconds: float
    """Estimated."""
    chapter: int
    """Index into the document's chapters; -1 before the first one."""
    gap: Gap
    """Before the next part."""
    slot: Slot | None = None
    pause: float | None = None
    """Seconds from its last sound to the first of the next part, in place of the gap's; negative if they overlap."""
    delivery: Delivery | None = None
    shown: str | None = None
    """What captions show, if directions go before the words that are sent."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A document and its parts. Their shares follow each other without a gap and cover the text."""

    document: Document
    language: str
    """The primary language by which sentences were found."""
    parts: tuple[Part, ...]

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)

    def share(self, part: Part) -> str:
        return self.document.text[part.start : part.end]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks that may share parts, or the piece of them from `start` to `end`."""

    blocks: tuple[Block, ...]
    start: int
    end: int

    def part(self, start: int, end: int) -> Stretch:
        return Stretch(self.blocks, start, end)


@dataclass(frozen=True, slots=True)
class Planner:
    document: Document
    limits: PartLimits
    language: str
    ruler: Ruler
    unbreakable: Unbreakable

    @classmethod
    def of(cls, document: Document, limits: PartLimits, language: str = "") -> Planner:
        """`language` overrides that of the document."""
        language = primary(language or document.language) or guess(document.text)
        unbreakable = Unbreakable(document.text, ((edit.start, edit.end) for edit in document.edits))
        return cls(document, limits, language, Ruler.of(document.text, limits), unbreakable)

    def pieces(self, stretch: Stretch, *, few: bool = False) -> Iterator[tuple[int, int]]:
        """Yield the ends of each piece of a stretch that one part speaks; silent ones are left out."""
        found = places(stretch.blocks, self.ruler, self.unbreakable, self.language)
        found = [place for place in found if stretch.start < place.at < stretch.end]
        for start, end in pairwise(
            [stretch.start, *cuts(stretch.start, stretch.end, found, self.ruler, few=few), stretch.end]
        ):
            text = self.document.text[start:end]
            if any(map(str.isalnum, text)):
                yield start, start + len(text.rstrip())

    def is_piece(self, start: int, end: int) -> bool:
        """Return whether a text found by its words can be a piece: of a speakable length, and not cut out of a word."""
        text = self.document.text
        begins = not start or not (text[start - 1].isalnum() and text[start].isalnum())
        ends = end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())
        return begins and ends and self.ruler.fits(start, end) and any(map(str.isalnum, text[start:end]))

    def is_short(self, start: int, end: int) -> bool:
        return self.ruler.durations(start, end) < ORPHAN * self.limits.target_seconds

    def plan(self, pieces: Iterable[tuple[int, int]]) -> Plan:
        """Make parts of pieces. What lies between two of them belongs to the first. Raises NothingToSpeakError: There
        is no piece.
        """
        ends = list(pieces)
        if not ends:
            raise NothingToSpeakError
        shares = pairwise([0, *(start for start, _ in ends[1:]), len(self.document.text)])
        outline = Outline(self.document)
        parts = tuple(self._part(share, piece, outline) for share, piece in zip(shares, ends, strict=True))
        return Plan(self.document, self.language, parts)

    def _part(self, share: tuple[int, int], piece: tuple[int, int], outline: Outline) -> Part:
        text = spoken(self.document.text[slice(*piece)], self.language)
        block, gap = outline.block(piece[0]), outline.gap(piece[1], share[1])
        pause = outline.pause(piece[1], share[1])
        return Part(*share, text, self.ruler.durations(*piece), outline.chapter(piece[0]), gap, block.slot, pause)


class Outline:
    """Finds what lies at a place of a document."""

    def __init__(self, document: Document) -> None:
        self._text = document.text
        self._chapters = [chapter.start for chapter in document.chapters]
        self._blocks = document.blocks
        self._starts = [block.start for block in document.blocks]
        self._pauses = document.pauses

    def pause(self, end: int, following: int) -> float | None:
        """Return the seconds between two pieces if markup names them."""
        if following == len(self._text):
            return None
        found = [seconds for place, seconds in self._pauses if end <= place <= following]
        return sum(found) if found else None

    def chapter(self, at: int) -> int:
        return bisect_right(self._chapters, at) - 1

    def block(self, at: int) -> Block:
        return self._blocks[bisect_right(self._starts, at) - 1]

    def gap(self, end: int, following: int) -> Gap:
        """Return what separates a piece that ends at `end` from the next one, which begins at `following`."""
        if following == len(self._text):
            return Gap.END
        if self.chapter(end - 1) != self.chapter(following):
            return Gap.CHAPTER
        last, first = self.block(end - 1), self.block(following)
        if last is first:
            return Gap.SENTENCE if SENTENCE_END.search(self._text[last.start : end].rstrip()[-8:]) else Gap.NONE
        passed = self._blocks[bisect_right(self._starts, end) : bisect_right(self._starts, following)]
        if any(block.kind is BlockKind.SCENE_BREAK for block in passed):
            return Gap.SCENE
        return Gap.HEADING if last.kind is BlockKind.HEADING else Gap.PARAGRAPH


def stretches(document: Document) -> Iterator[Stretch]:
    """Yield what parts may be made of: runs of paragraphs and list items within a chapter, and single headings."""
    chapters = {chapter.start for chapter in document.chapters}
    marks = sorted(place for place, _ in (*document.pauses, *document.voices))
    run: list[Block] = []
    for block in document.blocks:
        alone = block.kind not in (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM)
        if run and (alone or block.start in chapters or _any_between(marks, run[-1].end, block.start)):
            yield _stretch(run)
            run = []
        if not alone:
            run.append(block)
        elif block.kind is not BlockKind.SCENE_BREAK:
            yield _stretch([block])
    if run:
        yield _stretch(run)


def _any_between(places: Sequence[int], start: int, end: int) -> bool:
    index = bisect_left(places, start)
    return index < len(places) and places[index] <= end


def _stretch(blocks: Sequence[Block]) -> Stretch:
    return Stretch(tuple(blocks), blocks[0].start, blocks[-1].end)


def plan(document: Document, limits: PartLimits, language: str = "") -> Plan:
    """Divide a document into parts. Raises NothingToSpeakError: The document holds no letter and no digit."""
    planner = Planner.of(document, limits, language)
    return planner.plan(piece for stretch in stretches(document) for piece in planner.pieces(stretch))
