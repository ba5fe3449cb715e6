"""Finds the audio in a JSON answer: a link, a data URI or base64. Fetches nothing."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from worker.segmind.error_text import parse
from worker.segmind.spool import is_container


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    least_bytes: int = 0
    """File size according to the API; 0 if unknown."""


@dataclass(frozen=True, slots=True)
class Inline:
    """Audio as standard base64, padded, without line breaks."""

    encoded: str


_FIELDS: Final = (
    *("audio", "audio_url", "audio_base64", "audio_content", "audioContent"),
    *("output", "outputs", "output_url", "result", "results", "data", "url", "uri", "file", "b64_json"),
    *("candidates", "content", "parts", "inlineData", "inline_data"),
)
"""Where the vendor and the models put audio, most specific first. Poll URLs are excluded."""

_SIZE_FIELD: Final = "file_size"
_TYPE_FIELDS: Final = ("content_type", "mime_type", "mimeType", "media_type", "type")
_MAX_DEPTH: Final = 8
_MAX_URL_CHARACTERS: Final = 4_096

_CONTAINER_CHARACTERS: Final = 56
"""Minimum base64 length of a file: a WAV header alone is 44 bytes."""

_RAW_CHARACTERS: Final = 4_000
"""Minimum base64 length of undeclared raw PCM: 62 ms of audio, longer than any word."""

_URL: Final = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_STANDARD_ALPHABET: Final = str.maketrans({"-": "+", "_": "/", "\r": None, "\n": None})


@dataclass(frozen=True, slots=True)
class _Said:
    """A string in a known field, and its context."""

    text: str
    declared: bool = False
    """A type says that it is audio."""
    size: int = 0


def find_audio(document: object) -> Link | Inline | None:
    for said in _strings(document, _Said(""), depth=0):
        if found := _audio_in(said.text.strip(), said):
            return found
    return None


def is_blank(document: object) -> bool:
    """Whether the audio fields are empty."""
    return not any(said.text.strip() for said in _strings(document, _Said(""), depth=0))


def _strings(node: object, beside: _Said, *, depth: int) -> Iterator[_Said]:
    """Every string in a known field, with the context from its parents."""
    if isinstance(node, str):
        # Some models embed JSON in a string.
        inner = parse(node) if node[:1] in {"{", "["} and depth < _MAX_DEPTH else node
        if isinstance(inner, str):
            yield replace(beside, text=node)
        else:
            yield from _strings(inner, beside, depth=depth + 1)
    elif depth >= _MAX_DEPTH:
        return
    elif isinstance(node, list):
        for entry in node:
            yield from _strings(entry, beside, depth=depth + 1)
    elif isinstance(node, dict):
        beside = _described(node, beside)
        for field in _FIELDS:
            if field in node:
                yield from _strings(node[field], beside, depth=depth + 1)


def _described(node: dict[str, object], beside: _Said) -> _Said:
    types = (node.get(field) for field in _TYPE_FIELDS)
    declared = beside.declared or any(isinstance(name, str) and name.lower().startswith("audio/") for name in types)
    size = node.get(_SIZE_FIELD)
    return _Said("", declared, size if isinstance(size, int) else 0)


def _audio_in(text: str, said: _Said) -> Link | Inline | None:
    declared = said.declared
    if _URL.match(text):
        return Link(text, said.size) if len(text) <= _MAX_URL_CHARACTERS and _URL.fullmatch(text) else None
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
    # A remainder of one character is invalid base64.
    if encoded.endswith("==="):
        return None
    opening = binascii.a2b_base64(encoded[:48])
    return Inline(encoded) if declared or is_container(opening) or len(encoded) >= _RAW_CHARACTERS else None
