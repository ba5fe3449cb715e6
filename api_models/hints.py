"""Wording shared by faults: quoted values and suggestions."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Final

from api_models.escaping import escaped_json

QUOTED_CHARACTERS: Final = 60
"""A value is cut there: enough to find it in the file, too little to flood a terminal."""

_CLOSENESS: Final = 0.6
"""difflib's ratio above which a known name is suggested."""


def quoted(value: object) -> str:
    """Return `value` on one line, cut and safe to print, in quote marks if it is text."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # a whole number of thousands of digits, or lists in lists in lists
        return f"that {type(value).__name__}"
    if len(text) > QUOTED_CHARACTERS:
        text = text[: QUOTED_CHARACTERS - 2] + ('…"' if isinstance(value, str) else "…")
    return escaped_json(text)  # half of a surrogate pair can't even be sent as UTF-8


def printable(name: str) -> str:
    """As `quoted`, without the quote marks."""
    return quoted(name)[1:-1]


def closest(word: str, choices: Iterable[str], *, closeness: float = _CLOSENESS) -> str | None:
    """Return the closest choice, ignoring case, or None."""
    by_folded_name = {name.casefold(): name for name in choices}
    close = difflib.get_close_matches(word[:QUOTED_CHARACTERS].casefold(), list(by_folded_name), n=1, cutoff=closeness)
    return by_folded_name[close[0]] if close else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return `; did you mean "…"?` for a message, or an empty string."""
    name = closest(word, choices)
    return f'; did you mean "{name}"?' if name else ""
