"""The wording that faults share: a value as quoted to its author, and the name that was probably meant."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Final

QUOTED_CHARACTERS: Final = 60
"""A value quoted in a fault is cut there: enough to find it in the file, too little to flood a terminal."""

_CLOSENESS: Final = 0.6
"""difflib's ratio from which a known name counts as meant; lower ones suggest strangers."""


def quoted(value: object) -> str:
    """`value` on one line, between quote marks if it is text, cut to a readable length, safe to print."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # a whole number of thousands of digits, or lists in lists in lists
        return f"that {type(value).__name__}"
    if len(text) > QUOTED_CHARACTERS:
        text = text[: QUOTED_CHARACTERS - 2] + ('…"' if isinstance(value, str) else "…")
    # Half of a surrogate pair can't be printed or sent anywhere as UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()


def printable(name: str) -> str:
    """A name that someone else chose, as `quoted` would show it, but without the quote marks."""
    return quoted(name)[1:-1]


def closest(word: str, choices: Iterable[str], *, closeness: float = _CLOSENESS) -> str | None:
    """The choice that `word` was probably meant to be, upper and lower case aside, or None."""
    by_folded_name = {name.casefold(): name for name in choices}
    close = difflib.get_close_matches(word[:QUOTED_CHARACTERS].casefold(), list(by_folded_name), n=1, cutoff=closeness)
    return by_folded_name[close[0]] if close else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`; did you mean "…"?`, to be put behind a fault's message, or nothing where no choice is close."""
    name = closest(word, choices)
    return f'; did you mean "{name}"?' if name else ""
