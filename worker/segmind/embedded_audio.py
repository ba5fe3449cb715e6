"""Replaces a text body of a 2xx by the audio that it contains or links to."""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import Final

from worker.segmind.answers import Failure
from worker.segmind.codes import codes
from worker.segmind.documents import Inline, Link, find_audio
from worker.segmind.downloads import Downloads
from worker.segmind.error_text import parse, reports_failure, spoken
from worker.segmind.spool import OPENING_BYTES, Draft, is_text

EXCERPT_CHARACTERS: Final = 64 * 1024
"""How much of a text without audio is searched for an error message."""

_SLICE_CHARACTERS: Final = 256 * 1024
"""Decoded at a time, to bound memory; a multiple of four."""


@dataclass(frozen=True, slots=True)
class NoAudio:
    failure: Failure
    message: str
    codes: tuple[str, ...] = ()
    useless: bool = False
    """Requesting the same output again can't help."""


def unwrap(draft: Draft, downloads: Downloads) -> NoAudio | None:
    """Replace the draft's text by its audio and return None, or return why not."""
    text = draft.read(draft.size).decode("utf-8", "replace").lstrip("\ufeff")
    document = parse(text)
    if reports_failure(document):
        return NoAudio(Failure.RUN_FAILED, spoken(text[:EXCERPT_CHARACTERS]), codes(document))
    if found := find_audio(document):
        return bring(found, draft, downloads)
    return NoAudio(Failure.UNREADABLE, spoken(text[:EXCERPT_CHARACTERS]), codes(document))


def bring(found: Link | Inline, draft: Draft, downloads: Downloads) -> NoAudio | None:
    """Write the audio to `draft` and return None, or return why not."""
    match found:
        case Link(url, least_bytes):
            if miss := downloads.fetch(url, draft, least_bytes=least_bytes):
                return NoAudio(miss.failure, miss.message, useless=miss.useless)
        case Inline(encoded):
            _decode(encoded, draft)
    if not draft.size:
        return NoAudio(Failure.EMPTY, "its audio is empty", useless=True)
    message = _still_text(draft)
    return NoAudio(Failure.UNREADABLE, message, useless=True) if message else None


def _decode(encoded: str, draft: Draft) -> None:
    draft.restart()
    for start in range(0, len(encoded), _SLICE_CHARACTERS):
        draft.write(binascii.a2b_base64(encoded[start : start + _SLICE_CHARACTERS]))


def _still_text(draft: Draft) -> str:
    """The error for audio that is text again; it isn't unwrapped twice."""
    opening = draft.read(OPENING_BYTES)
    return f"its audio is text: {spoken(opening.decode('utf-8', 'replace'))}" if is_text(opening) else ""
