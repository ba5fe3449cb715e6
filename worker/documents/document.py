"""A document: its text, divided into blocks and chapters, and what was left out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from worker.text.lexicon.edits import Edit


class BlockKind(StrEnum):
    """What a block is to a listener. The kind decides the pause around it."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list item"
    TURN = "turn"
    """What one speaker of a script says."""
    CUE = "cue"
    """One subtitle, or several that form a sentence, with a place in time."""
    SCENE_BREAK = "scene break"
    """Silent: a row of asterisks, a rule, or a blank page."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a cue lies in its film, in seconds from the start."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a document's text: `text[start:end]`, without the blank lines around it."""

    kind: BlockKind
    start: int
    end: int
    slot: Slot | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named place in the text. Its title may differ from the heading that is spoken there."""

    title: str
    start: int


@dataclass(frozen=True, slots=True)
class Skipped:
    what: str
    """A kind, such as "footnote reference"; the same word for all of its kind."""
    where: str
    """A page, line or file of the source."""
    text: str = ""
    """Its beginning, at most `EXCERPT` characters."""


EXCERPT: Final = 60


def excerpt(text: str) -> str:
    line = " ".join(text[: 10 * EXCERPT].split())
    return line if len(line) <= EXCERPT else line[:EXCERPT] + "…"


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its structure. Blocks are in order and don't overlap; between them is white space only."""

    text: str
    blocks: tuple[Block, ...]
    chapters: tuple[Chapter, ...] = ()
    title: str = ""
    author: str = ""
    language: str = ""
    """BCP 47, as the file says; empty if it says nothing."""
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    """Where its text differs from that of the file, in order."""
    pauses: tuple[tuple[int, float], ...] = ()
    """Places between blocks, and the seconds of silence there."""
    voices: tuple[tuple[int, str], ...] = ()
    """Places between blocks, and the voice from there on; empty for that of the request."""


@dataclass(slots=True)
class DocumentBuilder:
    """Collects blocks in reading order and lays out their text, separated by blank lines."""

    title: str = ""
    author: str = ""
    language: str = ""
    warnings: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    _pieces: list[str] = field(default_factory=list)
    _blocks: list[Block] = field(default_factory=list)
    _chapters: list[Chapter] = field(default_factory=list)
    _length: int = 0

    def chapter(self, title: str) -> None:
        """Begin a chapter at the next block."""
        self._chapters.append(Chapter(" ".join(title.split()), self._length))

    def block(self, kind: BlockKind, text: str, slot: Slot | None = None) -> None:
        """Add a block. A block without a letter or digit becomes a scene break."""
        text = text.strip()
        if not text:
            return
        if kind is not BlockKind.SCENE_BREAK and not any(map(str.isalnum, text)):
            kind = BlockKind.SCENE_BREAK
        self._blocks.append(Block(kind, self._length, self._length + len(text), slot))
        self._pieces += (text, "\n\n")
        self._length += len(text) + 2

    def skip(self, what: str, where: str, text: str = "") -> None:
        self.skipped.append(Skipped(what, where, excerpt(text)))

    def build(self) -> Document:
        return Document(
            "".join(self._pieces),
            tuple(self._blocks),
            tuple(chapter for chapter in self._chapters if chapter.start < self._length),
            self.title,
            self.author,
            self.language,
            tuple(self.skipped),
            tuple(self.warnings),
        )
