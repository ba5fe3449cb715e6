"""Finds the audio in a JSON answer: a link, a data URI or base64. Fetches nothing, and takes no prose for audio."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from worker.segmind.sniffing import is_container


@dataclass(frozen=True, slots=True)
class Link:
    """The audio lies at another address."""

    url: str


@dataclass(frozen=True, slots=True)
class Inline:
    """The audio is here, in the standard alphabet of base64, padded, without line breaks."""

    encoded: str


_FIELDS: Final = (
    *("audio", "audio_url", "audio_base64", "audio_content", "audioContent"),
    *("output", "outputs", "output_url", "result", "results", "data", "url", "uri", "file", "b64_json"),
    *("candidates", "content", "parts", "inlineData", "inline_data"),
)
"""Where the vendor, its models and their maker put audio, the plainest first. Poll addresses are not among them."""

_TYPE_FIELDS: Final = ("content_type", "mime_type", "mimeType", "media_type", "type")
_MAX_DEPTH: Final = 8
_MAX_URL_CHARACTERS: Final = 4_096

_CONTAINER_CHARACTERS: Final = 56
"""The least base64 that is taken for a file: a WAV's header alone is 44 bytes."""

_RAW_CHARACTERS: Final = 4_000
"""The least base64 that is taken for raw PCM where nothing declares it as audio: 62 ms of it, longer than any word."""

_URL: Final = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_STANDARD_ALPHABET: Final = str.maketrans({"-": "+", "_": "/", "\r": None, "\n": None})


def find_audio(document: object) -> Link | Inline | None:
    """The first thing in `document` that is, or leads to, audio."""
    for text, declared in _strings(document, declared=False, depth=0):
        if found := _audio_in(text.strip(), declared=declared):
            return found
    return None


def _strings(node: object, *, declared: bool, depth: int) -> Iterator[tuple[str, bool]]:
    """Every string in a usual place, and whether a type beside it says that it is audio."""
    if isinstance(node, str):
        yield node, declared
    elif depth >= _MAX_DEPTH:
        return
    elif isinstance(node, list):
        for entry in node:
            yield from _strings(entry, declared=declared, depth=depth + 1)
    elif isinstance(node, dict):
        types = (node.get(field) for field in _TYPE_FIELDS)
        declared = declared or any(isinstance(name, str) and name.lower().startswith("audio/") for name in types)
        for field in _FIELDS:
            if field in node:
                yield from _strings(node[field], declared=declared, depth=depth + 1)


def _audio_in(text: str, *, declared: bool) -> Link | Inline | None:
    if _URL.match(text):
        return Link(text) if len(text) <= _MAX_URL_CHARACTERS and _URL.fullmatch(text) else None
    if text[:5].lower() == "data:":
        header, _, text = text.partition(",")
        if not header.lower().endswith(";base64"):
            return None
        declared = declared or header.lower().startswith("data:audio/")
    return _inline(text, declared=declared)


def _inline(text: str, *, declared: bool) -> Inline | None:
    if len(text) < _CONTAINER_CHARACTERS:
        return None
    encoded = text.translate(_STANDARD_ALPHABET)
    if not _BASE64.fullmatch(encoded):
        return None
    encoded = encoded.rstrip("=")
    encoded += "=" * (-len(encoded) % 4)
    # A remainder of one character is no base64 at all; the opening is whole groups of four.
    if encoded.endswith("==="):
        return None
    opening = binascii.a2b_base64(encoded[:48])
    return Inline(encoded) if declared or is_container(opening) or len(encoded) >= _RAW_CHARACTERS else None
