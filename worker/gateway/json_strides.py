"""Decodes JSON in short strides. Python's decoder lets no other thread run before it is done, whatever the length.

What fits a stride is decoded as a whole; of a longer list or object the members are, one after the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

STRIDE_CHARACTERS: Final = 64 * 1024
"""About a millisecond."""
MAX_STRING_CHARACTERS: Final = 1 << 20
"""Of a string with escapes beyond a stride: ten times the longest text. One without, such as a file in Base64, may be
as long as its body.
"""
MAX_MEMBERS: Final = 100_000
"""Of a list or object beyond a stride."""

_BLANKS: Final = re.compile(r"[ \t\n\r]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f]")
_Hook = Callable[[list[tuple[str, Any]]], Any]


class TooLongError(ValueError):
    """A string, list or object is longer than any of a valid body."""


def decode(text: str, decoder: json.JSONDecoder, hook: _Hook, *, stride: int = STRIDE_CHARACTERS) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value, as `decoder` would; `hook` makes objects of pairs. Raises ValueError: it is no JSON, or too
    long.
    """
    value, end = _Strides(text, decoder, hook, stride).value(_after_blanks(text, 0))
    if (end := _after_blanks(text, end)) != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def pieces(text: str, *, stride: int = STRIDE_CHARACTERS) -> Iterator[str]:
    """Cut a text into strides, none of which ends amid an escape."""
    at = 0
    while at < len(text):
        end = at + stride
        piece = text[at:end]
        if (len(piece) - len(piece.rstrip("\\"))) % 2:
            piece += text[end : end + 1]
        yield piece
        at += len(piece)


def _after_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


class _Strides:
    def __init__(self, text: str, decoder: json.JSONDecoder, hook: _Hook, stride: int) -> None:
        self._text = text
        self._decoder = decoder
        self._hook = hook
        self._stride = stride
        self._end = 0
        """Where the member ends that was read last."""

    def value(self, at: int) -> tuple[Any, int]:
        """Return the value that begins here, and where it ends."""
        first = self._text[at : at + 1]
        if first not in {"{", "[", '"'}:
            return self._decoder.raw_decode(self._text, at)
        try:
            value, end = self._decoder.raw_decode(self._text[at : at + self._stride])
        except json.JSONDecodeError:
            return self._long(first, at)  # cut off, or no JSON
        return value, at + end

    def _long(self, first: str, at: int) -> tuple[Any, int]:
        if first == "{":
            return self._object(at)
        if first == "[":
            return self._list(at)
        if (end := self._plain_end(at)) is not None:
            return self._text[at + 1 : end], end + 1
        self._require_end(at)
        return self._decoder.raw_decode(self._text, at)

    def _plain_end(self, at: int) -> int | None:
        """Return the closing quote of a string that begins here and has nothing to decode; None for another one."""
        text, quote = self._text, self._text.find('"', at + 1)
        if quote < 0 or text.find("\\", at + 1, quote) >= 0:
            return None
        strides = range(at + 1, quote, self._stride)
        is_plain = not any(_CONTROL.search(text, start, min(quote, start + self._stride)) for start in strides)
        return quote if is_plain else None

    def _object(self, at: int) -> tuple[Any, int]:
        pairs: list[tuple[str, Any]] = []
        for key_at in self._members(at, "}"):
            if self._text[key_at : key_at + 1] != '"':
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", self._text, key_at)
            key, end = self.value(key_at)
            colon = _after_blanks(self._text, end)
            if self._text[colon : colon + 1] != ":":
                raise json.JSONDecodeError("Expecting ':' delimiter", self._text, colon)
            value, self._end = self.value(_after_blanks(self._text, colon + 1))
            pairs.append((key, value))
        return self._hook(pairs), self._end

    def _list(self, at: int) -> tuple[Any, int]:
        found = []
        for value_at in self._members(at, "]"):
            value, self._end = self.value(value_at)
            found.append(value)
        return found, self._end

    def _members(self, at: int, closing: str) -> Iterator[int]:
        """Yield where each member begins. Its reader leaves its end in `_end`, where the whole's end is at last."""
        text, member = self._text, _after_blanks(self._text, at + 1)
        if text[member : member + 1] == closing:
            self._end = member + 1
            return
        for _ in range(MAX_MEMBERS):
            yield member
            end = _after_blanks(text, self._end)
            if text[end : end + 1] == closing:
                self._end = end + 1
                return
            if text[end : end + 1] != ",":
                raise json.JSONDecodeError("Expecting ',' delimiter", text, end)
            member = _after_blanks(text, end + 1)
        raise TooLongError(f"A list or object has more than {MAX_MEMBERS:,} members")

    def _require_end(self, at: int) -> None:
        """Raise TooLongError unless the string that begins here ends soon enough."""
        text, last = self._text, at + 1 + MAX_STRING_CHARACTERS
        quote = text.find('"', at + 1, last)
        while quote >= 0 and _is_escaped(text, at + 1, quote):
            quote = text.find('"', quote + 1, last)
        if quote < 0 and last < len(text):
            raise TooLongError(f"A string has more than {MAX_STRING_CHARACTERS:,} characters")


def _is_escaped(text: str, first: int, at: int) -> bool:
    before = at - 1
    while before >= first and text[before] == "\\":
        before -= 1
    return (at - before) % 2 == 0
