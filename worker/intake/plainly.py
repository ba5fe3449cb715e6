"""Rows that are plainly fine, judged without pydantic. Whatever is unusual about a row is left to pydantic.

A sheet's rows differ in text and name; the rest is the same few values over and over. So that rest is judged once, by
pydantic, and each row looks it up. What pydantic would refuse, or would change, is never let through here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any, Final

from pydantic import ValidationError

from api_models.registry import MODELS
from api_models.speech import JobRequest

MOST_KINDS: Final = 10_000
"""Sets of values that are remembered; a sheet with more has no use for it."""

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
_LETTER_OR_DIGIT: Final = re.compile(r"[A-Za-z0-9]")

_Kind = tuple[tuple[str, type, object], ...]


class Plainly:
    """Asked with every row of one input, all of them judged in one context."""

    def __init__(self, defaults: dict[str, object], context: dict[str, int | None]) -> None:
        """`defaults` fill what a row leaves empty, and are sound."""
        self._defaults = defaults
        self._context = context
        self._kinds: dict[_Kind, tuple[dict[str, Any], set[str], int] | None] = {}

    def request(self, fields: Mapping[str, object]) -> JobRequest | None:
        """The request that these fields make, as pydantic would make it; None where that is for pydantic to say."""
        text, name = fields.get("text"), fields.get("custom_id")
        if not (isinstance(text, str) and isinstance(name, str) and _PLAIN_NAME.fullmatch(name)):
            return None
        rest = tuple(
            (field, value.__class__, value) for field, value in fields.items() if field not in {"text", "custom_id"}
        )
        try:
            found = self._kinds[rest]
        except KeyError:
            found = self._learn(rest)
        except TypeError:  # a list or an object
            return None
        if found is None:
            return None
        values, given, limit = found
        if not _is_speakable(text, limit):
            return None
        return made(values | {"text": text, "custom_id": name}, given)

    def _learn(self, rest: _Kind) -> tuple[dict[str, Any], set[str], int] | None:
        if len(self._kinds) >= MOST_KINDS:
            return None
        # Two kinds of nothing are equal and read differently.
        if any(kind is float and not value for _, kind, value in rest):
            return None
        fields = {field: value for field, _, value in rest}
        try:
            request = JobRequest.model_validate(
                self._defaults | fields | {"text": "a", "custom_id": "a"}, context=self._context
            )
        except ValidationError:
            found = None
        else:
            limit = self._context.get("max_text_bytes") or MODELS[request.model].max_text_bytes
            found = request.__dict__, request.model_fields_set, limit
        self._kinds[rest] = found
        return found


def _is_speakable(text: str, limit: int) -> bool:
    """Whether a text is sound beyond doubt: it may be sound without."""
    if "\x00" in text or not _LETTER_OR_DIGIT.search(text):
        return False
    if text.isascii():
        return len(text) <= limit
    try:
        return len(text.encode()) <= limit
    except UnicodeEncodeError:
        return False


def made(values: dict[str, Any], given: Set[str]) -> JobRequest:
    """What `model_construct` does, without looking at every field again."""
    request = JobRequest.__new__(JobRequest)
    object.__setattr__(request, "__dict__", values)
    object.__setattr__(request, "__pydantic_fields_set__", given)
    object.__setattr__(request, "__pydantic_extra__", None)
    object.__setattr__(request, "__pydantic_private__", None)
    return request
