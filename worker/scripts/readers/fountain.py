"""Screenplays in Fountain (https://fountain.io/syntax): dialogue is spoken, action is narration, all else is listed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from worker.scripts.readers.builder import ScriptBuilder
from worker.scripts.script import MAX_OVERLAP_SECONDS, folded

_BONEYARD: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_NOTE: Final = re.compile(r"\[\[[^\[\]]*(?:\]\]|\Z)")
_KEY: Final = re.compile(r"([A-Za-z][A-Za-z ]{0,30}):[ \t]*(.*)")
_HEADING: Final = re.compile(r"(?:int|ext|est|int\.?/ext|i/e)[. ]", re.IGNORECASE)
_SCENE_NUMBER: Final = re.compile(r"\s*#[\w.-]+#\s*\Z")
_TRANSITION: Final = re.compile(r"[^a-z]*\bTO:\s*\Z")
_EXTENSION: Final = re.compile(r"\([^()]{0,100}\)")
_EMPHASIS: Final = re.compile(r"(?<!\\)(?:\*{1,3}|_)(?=\S)|(?<=\S)(?<!\\)(?:\*{1,3}|_)")
_ESCAPED: Final = re.compile(r"\\([*_])")
_TITLE_KEYS: Final = {"title": "title", "author": "author", "authors": "author", "language": "language"}
_KNOWN_KEYS: Final = frozenset(
    {*_TITLE_KEYS, "credit", "source", "draft date", "date", "contact", "notes", "copyright", "revision", "font"}
)


@dataclass(slots=True)
class _Reader:
    lines: Sequence[str]
    builder: ScriptBuilder
    known: Collection[str]
    at: int

    def run(self) -> None:
        action: list[str] = []
        begun = self.at
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if (speaker := self._speaker()) is not None:
                self._narrate(action, begun)
                self._dialogue(*speaker)
            elif self._is_other(line):
                self._narrate(action, begun)
                self.at += 1
            else:
                if not line.strip():
                    self._narrate(action, begun)
                else:
                    begun = begun if action else self.at
                    action.append(line.strip().removeprefix("!").removeprefix("~").strip("> <"))
                self.at += 1
        self._narrate(action, begun)

    def _narrate(self, action: list[str], begun: int) -> None:
        if any(any(map(str.isalnum, line)) for line in action):
            self.builder.turn("", plain("\n".join(action)), begun + 1, is_silent_alone=True)
        action.clear()

    def _is_other(self, line: str) -> bool:
        """Handle a line that is neither dialogue nor action."""
        bare, number = line.strip(), self.at + 1
        if bare.startswith("#"):
            self.builder.scene(plain(bare.lstrip("#")))
        elif re.fullmatch(r"={3,}", bare):
            pass
        elif bare.startswith("=") and not bare.startswith("=="):
            self.builder.skip("synopsis", number, bare)
        elif self._is_heading(bare):
            self.builder.scene(_SCENE_NUMBER.sub("", plain(bare.removeprefix("."))))
        elif self._is_transition(bare):
            self.builder.skip("transition", number, bare)
        else:
            return False
        return True

    def _is_heading(self, bare: str) -> bool:
        if bare.startswith(".") and not bare.startswith(".."):
            return True
        return self._is_blank(self.at - 1) and _HEADING.match(bare) is not None

    def _is_transition(self, bare: str) -> bool:
        if bare.startswith(">"):
            return not bare.endswith("<")
        alone = self._is_blank(self.at - 1) and self._is_blank(self.at + 1)
        return alone and _TRANSITION.fullmatch(bare) is not None

    def _is_blank(self, at: int) -> bool:
        return not 0 <= at < len(self.lines) or not self.lines[at].strip()

    def _speaker(self) -> tuple[str, bool] | None:
        """Return the name and whether both speak at the same time, if dialogue begins here."""
        bare = self.lines[self.at].strip()
        if not bare or not self._is_blank(self.at - 1) or self.at + 1 >= len(self.lines):
            return None
        if not self.lines[self.at + 1].strip() and self.lines[self.at + 1] != "  ":
            return None
        is_dual = bare.endswith("^")
        name = _EXTENSION.sub(" ", bare.removesuffix("^").rstrip()).strip()
        if bare.startswith("@"):
            return plain(name[1:]).strip(), is_dual
        if bare.startswith(("!", "~", ">", ".", "=", "#")) or _HEADING.match(bare) or _TRANSITION.fullmatch(bare):
            return None
        name = plain(name)
        is_name = folded(name) in self.known or (name == name.upper() and any(map(str.isupper, name)))
        return (name, is_dual) if is_name and any(map(str.isalpha, name)) else None

    def _dialogue(self, speaker: str, is_dual: bool) -> None:
        begun = self.at + 1
        overlap, direction, words, start = (MAX_OVERLAP_SECONDS if is_dual else 0.0), "", list[str](), begun
        self.at += 1
        for number, line in self._lines_of_dialogue():
            if re.fullmatch(r"\([^()]*\)", line):
                if words:
                    self._say(speaker, words, start, direction, overlap)
                    words, overlap, direction = [], 0.0, ""
                if re.fullmatch(r"\((?:pause|beat)[^()]*\)", line, re.IGNORECASE):
                    words.append(line)
                else:
                    direction = "; ".join(filter(None, (direction, line[1:-1].strip())))
                start = number
            else:
                words.append(line.removeprefix("~").strip())
        self._say(speaker, words, start if words else begun, direction, overlap)

    def _say(self, speaker: str, words: Sequence[str], line: int, direction: str, overlap: float) -> None:
        self.builder.turn(speaker, plain("\n".join(words)), line, direction=direction, overlap=overlap)

    def _lines_of_dialogue(self) -> Iterator[tuple[int, str]]:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.strip() and len(line) < 2:  # two blanks continue the dialogue
                return
            self.at += 1
            yield self.at, line.strip()


def read(source: str, builder: ScriptBuilder, known: Collection[str] = ()) -> None:
    """Read a screenplay. `known` are names that a cast declares, which need no capitals."""
    source = _blanked(_BONEYARD, "omitted text", source, builder)
    source = _blanked(_NOTE, "note", source, builder)
    lines = source.split("\n")
    _Reader(lines, builder, {folded(name) for name in known}, _title_page(lines, builder)).run()


def _blanked(pattern: re.Pattern[str], what: str, source: str, builder: ScriptBuilder) -> str:
    """Remove what matches; its line breaks stay, so that lines keep their numbers."""
    line, seen = 1, 0
    pieces: list[str] = []
    for match in pattern.finditer(source):
        line += source.count("\n", seen, match.start())
        builder.skip(what, line, match[0])
        pieces += (source[seen : match.start()], "\n" * match[0].count("\n"))
        line += match[0].count("\n")
        seen = match.end()
    return "".join((*pieces, source[seen:]))


def _title_page(lines: Sequence[str], builder: ScriptBuilder) -> int:
    """Read the title page. Returns the first line behind it."""
    first = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    found = _KEY.fullmatch(lines[first]) if first < len(lines) else None
    if found is None or found[1].lower() not in _KNOWN_KEYS:
        return first
    key, values = "", dict[str, list[str]]()
    for index in range(first, len(lines)):
        line = lines[index]
        if not line.strip():
            break
        if (found := _KEY.fullmatch(line)) is not None:
            key = _TITLE_KEYS.get(found[1].lower(), "")
            line = found[2]
        values.setdefault(key, []).append(line.strip())
    else:
        index = len(lines)
    for name, parts in values.items():
        if name:
            setattr(builder, name, plain(" ".join(parts)).strip())
    return index


def plain(text: str) -> str:
    """Return a text without the marks of emphasis."""
    return _ESCAPED.sub(r"\1", _EMPHASIS.sub("", text)).strip()
