"""The text that is sent for a part: its share of the document, without the layout of its file."""

from __future__ import annotations

import re
from typing import Final

from worker.documents.plan.languages import SPACELESS

MIN_CHARACTERS: Final = 60
"""Shorter texts are known to yield no audio unless they end in punctuation."""
WRAPPED: Final = 45
"""Characters: lines of a wrapped paragraph have at least this many on average."""

_FULL_STOPS: Final = {"ja": "。", "zh": "。", "hi": "।", "bn": "।", "my": "။", "km": "។"}
ENDED: Final = re.compile(r"[.!?…。！？؟।။។:;,—–-][\"'”’»)\]}」』】）]*\Z")
SENTENCE_END: Final = re.compile(r"[.!?…。！？؟।။។][\"'”’»)\]}」』】）]*\Z")
_REPEATED: Final = re.compile(r"([^\w\s])\1{3,}")
_BLANKS: Final = re.compile(r"[^\S\n]+")


def spoken(text: str, language: str) -> str:
    """Return a part's text without indents and wrapped lines, and with an end where it is short and has none."""
    joint = "" if language in SPACELESS else " "
    paragraphs = (_unwrapped(paragraph, joint) for paragraph in re.split(r"\n[^\S\n]*\n\s*", text.strip()))
    said = _REPEATED.sub(r"\1\1\1", "\n\n".join(paragraphs))
    if len(said) < MIN_CHARACTERS and not ENDED.search(said):
        said += _FULL_STOPS.get(language, ".")
    return said


def _unwrapped(paragraph: str, joint: str) -> str:
    lines = [_BLANKS.sub(" ", line).strip() for line in paragraph.split("\n")]
    wrapped = len(lines) > 1 and sum(map(len, lines[:-1])) >= WRAPPED * (len(lines) - 1)
    return (joint if wrapped else "\n").join(lines)
