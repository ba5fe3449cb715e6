"""A document with its text as it is spoken: its blocks and chapters move along."""

from __future__ import annotations

from dataclasses import replace

from worker.documents.document import Document
from worker.text.lexicon.edits import Moves
from worker.text.lexicon.lexicon import Lexicon


def reworded(document: Document, lexicon: Lexicon, language: str = "") -> Document:
    """Apply a lexicon. `language` overrides that of the document. Raises TextError: the text becomes too long."""
    changed = lexicon.apply(document.text, language or document.language, document.edits)
    if not changed.last:
        return document
    moved = Moves(changed.last)
    return replace(
        document,
        text=changed.text,
        blocks=tuple(replace(block, start=moved(block.start), end=moved(block.end)) for block in document.blocks),
        chapters=tuple(replace(chapter, start=moved(chapter.start)) for chapter in document.chapters),
        edits=changed.edits,
        pauses=tuple((moved(place), seconds) for place, seconds in document.pauses),
        voices=tuple((moved(place), voice) for place, voice in document.voices),
    )
