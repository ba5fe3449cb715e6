"""Tells text from audio by the bytes themselves. Content types lie, so none is asked for here."""

from __future__ import annotations

import re
from typing import Final

OPENING_BYTES: Final = 512
"""How much of a body's beginning is looked at."""

_BINARY: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""Control bytes that no text holds."""


def is_text(opening: bytes) -> bool:
    """Whether a body beginning so is text (JSON, HTML, prose) and thus no audio.

    Every container has control bytes, or bytes that aren't UTF-8, within its first few hundred; so has raw PCM, where
    silence is zeros and sound is noise.
    """
    if not opening or _BINARY.search(opening):
        return False
    try:
        opening.decode()
    except UnicodeDecodeError as error:
        # A character that the look itself cut in two is no sign of audio.
        return len(opening) >= OPENING_BYTES and error.start > len(opening) - 4
    return True


def is_plain(opening: bytes) -> bool:
    """Whether a body beginning so can be used as it is, whatever coding its head claims."""
    return not opening or is_text(opening) or is_container(opening)


def is_container(opening: bytes) -> bool:
    """Whether an audio file begins so: WAV, MP3, Ogg, FLAC, MP4."""
    if opening.startswith((b"RIFF", b"RIFX", b"RF64", b"ID3", b"OggS", b"fLaC")) or opening[4:8] == b"ftyp":
        return True
    return len(opening) > 1 and opening[0] == 0xFF and opening[1] & 0xE0 == 0xE0
