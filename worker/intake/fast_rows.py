"""The fast path for rows: validates regular rows without pydantic; everything unusual is left to pydantic.

Rows differ in text and name; the other values repeat. pydantic validates those once, and each row looks them up. The
fast path accepts nothing that pydantic would reject or change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from api_models.registry import MODELS
from api_models.speech import JobRequest
from worker.intake.row_defaults import merged

MAX_KINDS: Final = 10_000
"""Cached sets of values; a sheet with more does not benefit."""

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_PLAIN_NAMES: Final = re.compile(rf"(?:{_PLAIN_NAME.pattern}\n)*")
_LETTER_OR_DIGIT: Final = re.compile(r"[^\W_]")
_MAX_BYTES: Final = 4
"""UTF-8 bytes per character."""

_Rest = tuple[tuple[str, type, object], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """The values shared by rows that differ only in text and name."""

    like: JobRequest
    limit: int
    """UTF-8 bytes per text."""


class FastRows:
    def __init__(self, defaults: dict[str, object], context: dict[str, int | None]) -> None:
        self._defaults = defaults
        self._context = context
        self._kinds: dict[_Rest, Kind | None] = {}

    def request(self, fields: Mapping[str, object]) -> JobRequest | None:
        """Build the request as pydantic would, or return None to leave the row to pydantic."""
        text, name = fields.get("text"), fields.get("custom_id")
        if not (isinstance(text, str) and isinstance(name, str) and _PLAIN_NAME.fullmatch(name)):
            return None
        kind = self.kind({field: value for field, value in fields.items() if field not in {"text", "custom_id"}})
        if kind is None or not _is_speakable(text, kind.limit):
            return None
        return made(kind.like.__dict__ | {"text": text, "custom_id": name}, kind.like.model_fields_set)

    def kind(self, fields: Mapping[str, object]) -> Kind | None:
        rest = tuple((field, value.__class__, value) for field, value in fields.items())
        try:
            return self._kinds[rest]
        except KeyError:
            return self._learn(rest)
        except TypeError:  # a list or an object
            return None

    def _learn(self, rest: _Rest) -> Kind | None:
        if len(self._kinds) >= MAX_KINDS:
            return None
        # Two kinds of nothing are equal and read differently.
        if any(kind is float and not value for _, kind, value in rest):
            return None
        fields = {field: value for field, _, value in rest}
        try:
            request = JobRequest.model_validate(
                merged(self._defaults, fields) | {"text": "a", "custom_id": "a"}, context=self._context
            )
        except ValidationError:
            found = None
        else:
            limit = self._context.get("max_text_bytes") or MODELS[request.model].max_text_bytes
            # Two voices bind the text: it may name two speakers.
            found = None if request.voice_2 is not None else Kind(request, limit)
        self._kinds[rest] = found
        return found


def are_plain_names(names: Sequence[str]) -> bool:
    written = "\n".join(names) + "\n"
    return written.count("\n") == len(names) and _PLAIN_NAMES.fullmatch(written) is not None


def are_speakable(texts: Sequence[str], limit: int) -> bool:
    """Whether all are valid and at most `limit` UTF-8 bytes. False means undecided."""
    written = "".join(texts)
    if "\x00" in written or not all(map(_LETTER_OR_DIGIT.search, texts)):
        return False
    if written.isascii():
        return max(map(len, texts)) <= limit
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return _MAX_BYTES * max(map(len, texts)) <= limit or all(len(text.encode()) <= limit for text in texts)


def _is_speakable(text: str, limit: int) -> bool:
    """Whether a text is certainly valid. False means undecided."""
    if "\x00" in text or not _LETTER_OR_DIGIT.search(text):
        return False
    if text.isascii():
        return len(text) <= limit
    try:
        return len(text.encode()) <= limit
    except UnicodeEncodeError:
        return False


def made(values: dict[str, Any], given: Set[str]) -> JobRequest:
    """`model_construct` without checking every field again."""
    request = JobRequest.__new__(JobRequest)
    object.__setattr__(request, "__dict__", values)
    object.__setattr__(request, "__pydantic_fields_set__", given)
    object.__setattr__(request, "__pydantic_extra__", None)
    object.__setattr__(request, "__pydantic_private__", None)
    return request
