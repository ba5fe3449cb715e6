"""Who speaks in a text for two voices: names before a colon, at the beginnings of lines."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Final

SPEAKERS_OF_A_CALL: Final = 2
_NAMED: Final = re.compile(
    r"[\s*_>\[(-]*(?P<name>[^\W\d_][^\n:：*_\[\]()<>/\"“”„«»!?]{0,39}?)[\s*_]*(?:[\[(][^\[\]()\n]{1,100}[\])]\s*)?"
    r"(?::(?=[\s*_]|$)|：)"
)
_MAX_WORDS: Final = 4
_LABELS: Final = frozenset(
    (
        *("note", "notes", "style", "tone", "pace", "accent", "voice", "voices", "scene", "setting", "context", "mood"),
        *(
            "emotion",
            "direction",
            "directions",
            "instruction",
            "instructions",
            "transcript",
            "text",
            "title",
            "delivery",
        ),
        *("audio profile", "director's notes", "sample context", "the scene", "speaker", "speakers", "characters"),
        *("dialogue", "script", "conversation", "background", "language", "speed", "energy", "role", "delivery"),
    )
)
"""Labels that prompts begin lines with, and no speaker is called."""


def speakers_named(text: str) -> list[str]:
    """Return the names that certainly speak: those that begin two lines, or all if every line begins with one."""
    lines = [line for line in text.split("\n") if line.strip()]
    matches = [_NAMED.match(line[:200]) for line in lines]
    names = [" ".join(match["name"].split()) if match else "" for match in matches]
    names = ["" if len(name.split()) > _MAX_WORDS or _folded(name) in _LABELS else name for name in names]
    counts = Counter(_folded(name) for name in names if name)
    is_dialogue = all(names)
    spellings: dict[str, str] = {}
    for name in names:
        if name and (is_dialogue or counts[_folded(name)] > 1):
            spellings.setdefault(_folded(name), name)
    return list(spellings.values())


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
