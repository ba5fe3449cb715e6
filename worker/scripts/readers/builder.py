"""Collects the turns that a reader finds: directions, pauses and interruptions become fields of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from api_models.hints import quoted
from api_models.problems import Fault, InvalidInputError
from worker.documents.document import Skipped
from worker.scripts.script import (
    MAX_NAME_CHARACTERS,
    MAX_OVERLAP_SECONDS,
    MAX_PAUSE_SECONDS,
    Scene,
    Script,
    Turn,
    folded,
    has_words,
    skip,
)

USUAL_PAUSE_SECONDS: Final = 0.8
"""Of `[pause]` without a length."""
INTERRUPTION_SECONDS: Final = 0.25
"""Overlap after a turn that ends in a dash, and of "(interrupting)"."""
MAX_DIRECTIONS: Final = 8
"""At the beginning of a turn."""
MAX_FAULTS: Final = 100
"""Shown; others are counted."""

_LENGTH: Final = r"[\s:=]*(?P<{0}>\d+(?:[.,]\d+)?)?\s*(?P<{0}_unit>ms|milliseconds?|s|sec|seconds?)?\s*"
_MARK: Final = re.compile(
    rf"[\[(]\s*(?:(?:long\s+)?(?:pause|beat|silence){_LENGTH.format('pause')}"
    rf"|overlap{_LENGTH.format('overlap')})[\])]",
    re.IGNORECASE,
)
_LEADING: Final = re.compile(r"\s*(?:\[([^\[\]\n]{1,200})\]|\(([^()\n]{1,200})\))")
_INTERRUPTS: Final = re.compile(r"\b(?:interrupt(?:s|ing)|overlapping|cutting (?:in|off))\b", re.IGNORECASE)
INTERRUPTED: Final = re.compile(r"(?:--+|—|–)[\"'”’»]*\s*\Z")
_BLANKS: Final = re.compile(r"[^\S\n]+")


@dataclass(slots=True)
class _Marked:
    """A stretch of a turn's text between two pauses."""

    text: str
    pause: float | None = None
    overlap: float = 0.0


@dataclass(slots=True)
class ScriptBuilder:
    title: str = ""
    author: str = ""
    language: str = ""
    cast: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    _total_faults: int = 0
    _scenes: list[tuple[str, list[Turn]]] = field(default_factory=lambda: [("", [])])
    _names: dict[str, str] = field(default_factory=dict)
    _pause: float | None = None
    """Of a mark behind the last words: it comes before the next turn."""

    def scene(self, title: str = "") -> None:
        """Begin a scene at the next turn."""
        self._scenes.append((" ".join(title.split()), []))

    def skip(self, what: str, line: int, text: str = "") -> None:
        self.skipped.append(skip(what, line, text))

    def fault(self, line: int, field: str, message: str) -> None:
        self.add(Fault(line=line, field=field or None, message=message))

    def fault_of_all(self, message: str) -> None:
        """Add a fault of the file as a whole."""
        self.add(Fault(message=message))

    def add(self, fault: Fault) -> None:
        self._total_faults += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(fault)

    def pause(self, seconds: float) -> None:
        """Add silence before the next turn."""
        self._pause = (self._pause or 0.0) + seconds

    def turn(
        self,
        speaker: str,
        text: str,
        line: int,
        *,
        direction: str = "",
        pause: float | None = None,
        overlap: float = 0.0,
        is_silent_alone: bool = False,
    ) -> None:
        """Add what a speaker says; an empty name is narration. A turn without words is a fault."""
        name = self._name(speaker, line)
        if pause is not None:
            self.pause(pause)
        pieces = list(self._pieces(text, line))
        if not any(has_words(_undirected(piece.text)[1]) for piece in pieces):
            if not any(piece.pause is not None for piece in pieces):
                self.fault(line, name, "has no words to speak; write them, or remove the turn")
            for piece in pieces:
                if piece.pause is not None:
                    self.pause(piece.pause)
            return
        for piece in pieces:
            found, words = _undirected(piece.text)
            manner = "; ".join(filter(None, (direction, *found)))
            if piece.pause is not None:
                self.pause(piece.pause)
            if has_words(words):
                overlap = max(overlap, piece.overlap, INTERRUPTION_SECONDS if _INTERRUPTS.search(manner) else 0.0)
                self._add(Turn(name, _clean(words), line, manner, self._pause, overlap, is_silent_alone))
                overlap, self._pause = 0.0, None

    def _name(self, speaker: str, line: int) -> str:
        name = " ".join(speaker.split())
        if len(name) > MAX_NAME_CHARACTERS:
            message = f"is longer than {MAX_NAME_CHARACTERS} characters; shorten the name"
            self.fault(line, quoted(name), message)
        return self._names.setdefault(folded(name), name)

    def _pieces(self, text: str, line: int) -> Iterator[_Marked]:
        at, current = 0, _Marked("")
        for mark in _MARK.finditer(text):
            current.text = text[at : mark.start()]
            yield current
            at = mark.end()
            if re.match(r"\W*overlap", mark[0], re.IGNORECASE):
                seconds = self._seconds(mark, "overlap", INTERRUPTION_SECONDS, MAX_OVERLAP_SECONDS, line)
                current = _Marked("", overlap=seconds)
            else:
                current = _Marked("", self._seconds(mark, "pause", USUAL_PAUSE_SECONDS, MAX_PAUSE_SECONDS, line))
        current.text = text[at:]
        yield current

    def _seconds(self, mark: re.Match[str], name: str, usual: float, most: float, line: int) -> float:
        if mark[name] is None:
            return usual
        seconds = float(mark[name].replace(",", "."))
        if (mark[f"{name}_unit"] or "s").lower().startswith("m"):
            seconds /= 1_000
        if seconds > most:
            self.fault(line, mark[0], f"is longer than {most:g} s; write a shorter {name}")
        return seconds

    def _add(self, turn: Turn) -> None:
        before = self._last()
        if before is not None and folded(before.speaker) != folded(turn.speaker) and turn.pause is None:
            was_interrupted = INTERRUPTED.search(before.text) is not None
            overlap = turn.overlap or (INTERRUPTION_SECONDS if was_interrupted else 0.0)
        else:
            overlap = 0.0
        self._scenes[-1][1].append(replace(turn, overlap=overlap))

    def _last(self) -> Turn | None:
        turns = self._scenes[-1][1]
        return turns[-1] if turns else None

    def build(self, source: str) -> Script:
        """Return the script. Raises InvalidInputError: it has faults, or no turn; `source` names the file."""
        scenes = tuple(Scene(title, tuple(turns)) for title, turns in self._scenes if turns)
        if not scenes and not self.faults:
            self.fault_of_all("has no turns; a turn is a line such as `Anna: Good morning.`")
        if self.faults:
            raise InvalidInputError(source, self.faults, self._total_faults)
        return Script(
            scenes,
            self.title,
            self.author,
            self.language,
            self.cast,
            tuple(self.skipped),
            tuple(self.warnings),
        )


def _undirected(text: str) -> tuple[list[str], str]:
    """Return the directions at the beginning of a text, and the rest."""
    found: list[str] = []
    while len(found) < MAX_DIRECTIONS and (leading := _LEADING.match(text)) is not None:
        if not has_words(text[leading.end() :]):
            break
        found.append((leading[1] or leading[2]).strip())
        text = text[leading.end() :]
    return found, text


def _clean(text: str) -> str:
    lines = (_BLANKS.sub(" ", line).strip() for line in text.strip().split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
