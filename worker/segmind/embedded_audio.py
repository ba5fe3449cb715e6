"""Turns a 2xx whose body is text into the audio it stands for, in the same draft, or says why there is none."""

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
"""Of a text without audio that is searched for words."""

_SLICE_CHARACTERS: Final = 256 * 1024
"""Decoded at a time, so that a long take isn't in memory twice more; a multiple of four."""


@dataclass(frozen=True, slots=True)
class NoAudio:
    """Why there is no audio."""

    failure: Failure
    words: str
    codes: tuple[str, ...] = ()
    """The API's own codes for it."""
    useless: bool = False
    """Asking for the same output again brings nothing better."""


def unwrap(draft: Draft, downloads: Downloads) -> NoAudio | None:
    """Leave in `draft` the audio that its text stands for; None for done."""
    text = draft.read(draft.size).decode("utf-8", "replace").lstrip("\ufeff")
    document = parse(text)
    if reports_failure(document):
        return NoAudio(Failure.RUN_FAILED, spoken(text[:EXCERPT_CHARACTERS]), codes(document))
    if found := find_audio(document):
        return bring(found, draft, downloads)
    return NoAudio(Failure.UNREADABLE, spoken(text[:EXCERPT_CHARACTERS]), codes(document))


def bring(found: Link | Inline, draft: Draft, downloads: Downloads) -> NoAudio | None:
    """Leave in `draft` the audio that was found; None for done."""
    match found:
        case Link(url, least_bytes):
            if miss := downloads.fetch(url, draft, least_bytes=least_bytes):
                return NoAudio(miss.failure, miss.words, useless=miss.useless)
        case Inline(encoded):
            _decode(encoded, draft)
    if not draft.size:
        return NoAudio(Failure.EMPTY, "its audio is empty", useless=True)
    words = _still_text(draft)
    return NoAudio(Failure.UNREADABLE, words, useless=True) if words else None


def _decode(encoded: str, draft: Draft) -> None:
    draft.restart()
    for start in range(0, len(encoded), _SLICE_CHARACTERS):
        draft.write(binascii.a2b_base64(encoded[start : start + _SLICE_CHARACTERS]))


def _still_text(draft: Draft) -> str:
    """Text within text isn't unwrapped a second time."""
    opening = draft.read(OPENING_BYTES)
    return f"its audio is text: {spoken(opening.decode('utf-8', 'replace'))}" if is_text(opening) else ""
