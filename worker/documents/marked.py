"""Texts whose markup asks for silence or another voice: documents that are divided at these places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from api_models.wording import Wording
from worker.documents.document import Block, Document


def marked(document: Document, wording: Wording) -> Document:
    """Divide the blocks of a text where its wording says so."""
    places = sorted({place for place, _ in (*wording.pauses, *wording.voices)})
    blocks = tuple(piece for block in document.blocks for piece in _pieces(document.text, block, places))
    return replace(document, blocks=blocks, pauses=wording.pauses, voices=wording.voices)


def _pieces(text: str, block: Block, places: Sequence[int]) -> Iterator[Block]:
    inside = [place for place in places if block.start < place < block.end]
    for start, end in pairwise([block.start, *inside, block.end]):
        said = text[start:end]
        if said.strip():
            begin = start + len(said) - len(said.lstrip())
            yield replace(block, start=begin, end=start + len(said.rstrip()))
