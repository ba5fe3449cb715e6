"""Comments, and blocks between BEGIN and END: what a writer marks for the voice, or for no one, in the way of programs.

A block that is named after the text is what is spoken; one of any other name may be a direction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from worker.audio.direction_words import NOTE_LABELS, SPOKEN_LABELS

MAX_NAME_CHARACTERS: Final = 60
MAX_COMMENT_CHARACTERS: Final = 2_000
"""Between `/*` and `*/`."""

_COMMENT: Final = re.compile(
    r"^[ \t]*(?://|;|%|--(?=\s*(?i:(?:"
    + NOTE_LABELS
    + rf")\b)))[^\n]*$|(?<=\s)//(?=\s)[^\n]*$|/\*(?:[^*]|\*(?!/)){{0,{MAX_COMMENT_CHARACTERS}}}\*/",
    re.MULTILINE,
)
_WORD: Final = "BEGIN|START|END|STOP"
_NAME: Final = rf"[^\n\[\](){{}}<>【】]{{0,{MAX_NAME_CHARACTERS}}}"
_EDGE: Final = re.compile(
    rf"^(?![^\n]*[.,;!?])[^\w\n]{{0,8}}(?P<line>(?i:{_WORD}))\b(?P<line_name>{_NAME})$"
    rf"|[\[(<{{【]{{1,3}}[ /]?(?P<bracket>(?i:{_WORD}))\b(?P<bracket_name>{_NAME})[\])>}}】]{{1,3}}"
    rf"|\b(?P<plain>{_WORD})[ :_-]{{1,2}}(?P<plain_name>[A-Z]{{2,20}}(?:[ _-][A-Z]{{2,20}}){{0,4}})\b[:.]?",
    re.MULTILINE,
)
"""A line of its own, a tag, or capitals in the midst of other words."""
_OPENING: Final = frozenset({"BEGIN", "START"})
_FILLING: Final = re.compile(r"[\W_]+|\b(?:of|the|here|is|this)\b", re.IGNORECASE)
_SPOKEN: Final = re.compile(rf"(?:{SPOKEN_LABELS})", re.IGNORECASE)
_NOTE: Final = re.compile(rf"(?:{NOTE_LABELS}|comments?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Edge:
    is_opening: bool
    name: str
    start: int
    stop: int


def without_comments(text: str, instead: str = " ") -> str:
    """The text without comments, or as it is if it has nothing else."""
    rest = _COMMENT.sub(instead, text)
    return rest if _says(rest) else text


def without_edges(text: str, instead: str) -> str:
    """The text with `instead` in place of each BEGIN and END of a block."""
    cuts = [edge for block in _blocks(text) for edge in block]
    return _replaced(text, [(edge.start, edge.stop) for edge in cuts], instead) if cuts else text


def of_blocks(text: str) -> str:
    """What certainly is spoken: blocks named after it; else what stands outside of notes; else the shorter of both."""
    blocks = _blocks(text)
    if not blocks:
        return text
    said = [text[first.stop : last.start] for first, last in blocks if _SPOKEN.fullmatch(first.name)]
    if _says(words := "\n".join(said)):
        return words
    outside = _replaced(text, [(first.start, last.stop) for first, last in blocks], "\n")
    if _says(outside) and all(_NOTE.fullmatch(first.name) for first, _ in blocks):
        return outside
    inside = "\n".join(text[first.stop : last.start] for first, last in blocks)
    return min((part for part in (outside, inside) if _says(part)), key=_letters, default=text)


def _blocks(text: str) -> list[tuple[_Edge, _Edge]]:
    """The outermost blocks. An END without a name ends the block that began last."""
    opened: list[_Edge] = []
    found: list[tuple[_Edge, _Edge]] = []
    for edge in map(_edge, _EDGE.finditer(text)):
        if edge.is_opening:
            opened.append(edge)
            continue
        at = next((at for at in range(len(opened))[-20:][::-1] if edge.name in {opened[at].name, ""}), None)
        if at is not None:
            first = opened[at]
            del opened[at:]
            found = [block for block in found if block[0].start < first.start]
            found.append((first, edge))
    return found


def _edge(found: re.Match[str]) -> _Edge:
    kind = next(kind for kind in ("line", "bracket", "plain") if found[kind] is not None)
    name = " ".join(_FILLING.sub(" ", found[f"{kind}_name"]).lower().split())
    return _Edge(found[kind].upper() in _OPENING, name, found.start(), found.end())


def _replaced(text: str, cuts: list[tuple[int, int]], instead: str) -> str:
    kept, at = [], 0
    for start, stop in sorted(cuts):
        kept.append(text[at : max(at, start)])
        at = max(at, stop)
    return instead.join([*kept, text[at:]])


def _says(text: str) -> bool:
    return any(map(str.isalnum, text))


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))
