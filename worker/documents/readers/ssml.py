"""SSML files: breaks become silence, voices change; the text is that of the words."""

from __future__ import annotations

from dataclasses import replace

from api_models.registry import VOICES
from api_models.wording import Wording
from worker.documents.document import Document
from worker.documents.errors import DocumentError
from worker.documents.marked import marked
from worker.documents.readers import text as text_reader
from worker.text import ssml
from worker.text.errors import TextError


def read(source: str) -> Document:
    """Raises DocumentError: it is no SSML of the subset that is read; with line and column."""
    try:
        found = ssml.read(source, {name.casefold(): name for name in VOICES})
    except TextError as error:
        raise DocumentError(error.described()) from None
    document = marked(text_reader.read(found.text), Wording(source, "", found.pauses, found.voices))
    unapplied = tuple(f"markup without effect: {name} ({count:,})" for name, count in found.unapplied.items())
    return replace(document, edits=found.edits, warnings=unapplied)
