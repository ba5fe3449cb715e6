"""A script: scenes of turns, each spoken by one speaker. Knows no voices."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from worker.documents.document import Skipped, excerpt

FOUNTAIN_SUFFIXES: Final = frozenset({".fountain", ".spmd"})
SUBSTATION_SUFFIXES: Final = frozenset({".ass", ".ssa"})
ALWAYS: Final = FOUNTAIN_SUFFIXES | SUBSTATION_SUFFIXES
"""Suffixes of files that can't be read as anything but scripts."""
NARRATOR: Final = "narrator"
"""The role that speaks what no speaker does."""
MAX_OVERLAP_SECONDS: Final = 0.4
"""More hides what both speakers say."""
MAX_PAUSE_SECONDS: Final = 60.0
MAX_NAME_CHARACTERS: Final = 60


def folded(name: str) -> str:
    """Return the form in which names are compared: case, width, accents' encoding and spaces don't count."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says until another one does."""

    speaker: str
    """As it is first written; empty for narration."""
    text: str
    """Words, with inline tags such as `[laughs]`."""
    line: int
    """Of its beginning; of an item in JSON, its number."""
    direction: str = ""
    """How it is spoken, such as "whispering"."""
    pause: float | None = None
    """Seconds of silence before it; None for the usual ones."""
    overlap: float = 0.0
    """Seconds by which it begins before the turn before it ends."""
    is_silent_alone: bool = False
    """Whether it is left out where the cast has no narrator, as a screenplay's action is."""


@dataclass(frozen=True, slots=True)
class Scene:
    title: str
    """Empty if it has none."""
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """Scenes in order. Every turn has words."""

    scenes: tuple[Scene, ...]
    title: str = ""
    author: str = ""
    language: str = ""
    """BCP 47, as the file says; empty if it says nothing."""
    cast: Mapping[str, Any] = field(default_factory=dict)
    """The roles that the file itself holds, unchecked."""
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()

    def turns(self) -> Iterator[Turn]:
        for scene in self.scenes:
            yield from scene.turns

    def speakers(self) -> dict[str, str]:
        """Return each speaker's name by its folded form, in the order of appearance. Narration has the empty one."""
        found: dict[str, str] = {}
        for turn in self.turns():
            found.setdefault(folded(turn.speaker), turn.speaker)
        return found


INLINE_TAG: Final = re.compile(r"\[[^\[\]\n]{1,120}\]")
_BEFORE_A_MARK: Final = re.compile(r" ?\[[^\[\]\n]{1,120}\] ?(?=[,.;:!?…])")


def without_tags(text: str) -> str:
    """Return the words of a turn."""
    bare = INLINE_TAG.sub(" ", _BEFORE_A_MARK.sub("", text))
    return "\n".join(" ".join(line.split()) for line in bare.split("\n")).strip()


def has_words(text: str) -> bool:
    return any(map(str.isalnum, INLINE_TAG.sub(" ", text)))


def skipped_kinds(entries: Iterable[Skipped]) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for entry in entries:
        kinds[entry.what] = kinds.get(entry.what, 0) + 1
    return kinds


def skip(what: str, line: int, text: str) -> Skipped:
    return Skipped(what, f"line {line}", excerpt(text))
