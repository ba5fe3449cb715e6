"""Extracts machine-readable codes from an answer without audio: error codes, finish reasons, block reasons.

Sources: Google's `Candidate.finishReason`, `PromptFeedback.blockReason` and `Status`, OpenAI's `error.code`, and
the
vendor's own `error`. The verdict table alone decides what a code means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from worker.segmind.error_text import parse

_FIELDS: Final = frozenset(
    {
        *("code", "error_code", "errorCode", "status", "type", "reason"),
        *("finishReason", "finish_reason", "blockReason", "block_reason", "blockedReason"),
        *("stop_reason", "stopReason"),
    }
)
_FLAGS: Final = frozenset({"blocked", "flagged", "filtered", "moderated", "nsfw", "is_nsfw", "refusal", "refused"})
"""Fields that are a reason by their own name, if they are true or say something."""
_SENTENCES: Final = frozenset({"error", "detail", "message"})
"""Fields that hold a sentence as a rule, and a code in capitals at times."""
_SAYS_NOTHING: Final = frozenset(
    {
        *(
            "stop",
            "end",
            "done",
            "ok",
            "success",
            "succeeded",
            "completed",
            "finished",
            "none",
            "null",
            "true",
            "no",
            "false",
        ),
        *("error", "errors", "failed", "failure", "fail", "object", "message", "text", "json", "audio"),
        *("finish_reason_unspecified", "block_reason_unspecified", "queued", "processing"),
    }
)
"""Field values that are no reason."""

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{2,63}")
_MAX_CODES: Final = 4
_MAX_DEPTH: Final = 5
_MAX_ENTRIES: Final = 20


def codes(document: object) -> tuple[str, ...]:
    """The codes in a JSON value, outermost first, without duplicates, at most four."""
    found = dict.fromkeys(code for depth in range(_MAX_DEPTH) for code in _at(document, depth))
    return tuple(found)[:_MAX_CODES]


def _at(node: object, depth: int) -> Iterator[str]:
    """The codes `depth` levels below `node`. Some models embed JSON in a string."""
    node = parse(node) if isinstance(node, str) and node[:1] in {"{", "["} else node
    if depth > 0:
        entries = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        for entry in islice(entries, _MAX_ENTRIES):
            yield from _at(entry, depth - 1)
    elif isinstance(node, dict):
        for field, value in node.items():
            if field.lower() in _FLAGS and _is_raised(value):
                yield field
            elif isinstance(value, str) and _is_code(value.strip()) and _holds_code(field, value.strip()):
                yield value.strip()


def _holds_code(field: str, value: str) -> bool:
    return field in _FIELDS or (field in _SENTENCES and value.isupper())


def _is_raised(value: object) -> bool:
    return value is True or (isinstance(value, str) and bool(value.strip()) and value.lower() not in _SAYS_NOTHING)


def _is_code(value: str) -> bool:
    return _CODE.fullmatch(value) is not None and value.lower() not in _SAYS_NOTHING
