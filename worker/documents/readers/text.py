"""Plain text: paragraphs between blank lines, headings by their form. The document's text is the file's, unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from worker.documents.document import Block, BlockKind, Chapter, Document, Skipped, excerpt

_PARAGRAPH: Final = re.compile(r"\S(?:.|\n(?![^\S\n]*\n))*")
_CHAPTER: Final = re.compile(
    r"(?:chapter|part|book|volume|act|section|kapitel|teil|buch|chapitre|partie|livre|cap[ií]tulo|parte|libro|capitolo"
    r"|hoofdstuk|rozdział|kapitola|глава|часть|розділ|bölüm|κεφάλαιο|الفصل|अध्याय)\s+[\w.]+\b(?:[\s.:—–-].*)?"
    r"|第[\d〇一二三四五六七八九十百千]+[章回話节節部].*"
    r"|(?:prologue|epilogue|preface|foreword|introduction|afterword|prolog|epilog|vorwort|nachwort|préface|пролог|эпилог"
    r"|序章|終章)\s*[.:]?",
    re.IGNORECASE,
)
_START: Final = re.compile(r"^\*{3} ?START OF TH(?:E|IS) PROJECT GUTENBERG EBOOK.*$", re.MULTILINE)
_END: Final = re.compile(r"^\*{3} ?END OF TH(?:E|IS) PROJECT GUTENBERG EBOOK.*$", re.MULTILINE)
_MAX_HEADING: Final = 80
"""Characters. A longer line is a sentence."""
_MIN_CAPITALS: Final = 4
"""Letters of a heading known by its capitals alone."""


def read(text: str) -> Document:
    """Find the structure of a plain text. The licence around a Project Gutenberg book is skipped."""
    start, end = _book(text)
    blocks = tuple(block for block in _blocks(text) if start <= block.start < end)
    skipped = tuple(
        Skipped("licence of the edition", where, excerpt(licence))
        for where, licence in (("beginning", text[:start]), ("end", text[end:]))
        if licence.strip()
    )
    chapters = tuple(
        Chapter(" ".join(text[block.start : block.end].split()), block.start)
        for block in blocks
        if block.kind is BlockKind.HEADING and _CHAPTER.fullmatch(text[block.start : block.end])
    )
    return Document(text, blocks, chapters, skipped=skipped)


def _book(text: str) -> tuple[int, int]:
    start, end = _START.search(text), _END.search(text)
    return (start.end() if start else 0), (end.start() if end else len(text))


def _blocks(text: str) -> Iterator[Block]:
    for match in _PARAGRAPH.finditer(text):
        paragraph = match[0].rstrip()
        yield Block(_kind(paragraph), match.start(), match.start() + len(paragraph))


def _kind(paragraph: str) -> BlockKind:
    if not any(map(str.isalnum, paragraph)):
        return BlockKind.SCENE_BREAK
    if "\n" in paragraph or len(paragraph) > _MAX_HEADING:
        return BlockKind.PARAGRAPH
    letters = [character for character in paragraph if character.isalpha()]
    capitals = len(letters) >= _MIN_CAPITALS and paragraph.isupper() and not paragraph.endswith((".", "!", "?"))
    return BlockKind.HEADING if capitals or _CHAPTER.fullmatch(paragraph) else BlockKind.PARAGRAPH
