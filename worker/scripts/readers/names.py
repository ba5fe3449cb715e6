"""Plain scripts: lines such as `Anna: Good morning.` A colon makes a name only where the name is declared or repeated.

Fields before the first turn (`Title:`, `Author:`, `Language:`, `Cast: Anna, Ben`) describe the script; `== Act One ==`
or a rule begins a scene; `#` begins a comment. A turn lasts to a blank line, another name or the end; indented lines
belong to it even after a blank one. What stands outside of turns is narration.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from api_models.hints import quoted
from worker.scripts.readers.builder import ScriptBuilder
from worker.scripts.script import MAX_NAME_CHARACTERS, folded

_NAMED: Final = re.compile(
    rf"(?P<indent>[^\S\n]*)(?P<name>[^\W\d_][^\n:：\[\]()*<>/\"“”„«»!?]{{0,{MAX_NAME_CHARACTERS - 1}}}?)\s*"
    r"(?:[\[(](?P<direction>[^\[\]()\n]{1,200})[\])]\s*)?(?::(?=\s|$|[\[(])|：)(?P<words>.*)",
)
_FIELD: Final = re.compile(r"\s*(title|author|language|lang|cast|speakers|characters)\s*[:：]\s*(.+)", re.IGNORECASE)
_LISTS: Final = frozenset({"cast", "speakers", "characters"})
_SCENE: Final = re.compile(r"\s*={2,}")
_RULE: Final = re.compile(r"\s*(?:[-*_~]\s*){3,}\Z")
_COMMENT: Final = re.compile(r"\s*#")
_MANY_WORDS: Final = 6
"""No name has more words."""
_SHOWN: Final = 5
"""Names that a warning shows."""


@dataclass(slots=True)
class _Open:
    """A turn whose lines are being collected."""

    speaker: str
    line: int
    lines: list[str]
    direction: str = ""
    is_closed: bool = False
    """Whether a blank line followed: only indented lines continue it."""


def read(source: str, builder: ScriptBuilder, known: Collection[str] = ()) -> None:
    """Read a plain script. `known` are names that a cast declares."""
    lines = source.split("\n")
    first, declared = _header(lines, builder)
    names = {folded(name) for name in (*declared, *known)}
    names |= _repeated(lines[first:])
    _warn_of_others(lines, first, names, builder)
    turns = _Turns(names, builder)
    for number, line in enumerate(lines[first:], first + 1):
        turns.line(number, line)
    turns.close()


def _header(lines: Sequence[str], builder: ScriptBuilder) -> tuple[int, Sequence[str]]:
    """Read the fields at the beginning. Returns the first line behind them, and the names that they declare."""
    declared: list[str] = []
    for index, line in enumerate(lines):
        if not line.strip() or _COMMENT.match(line):
            continue
        if (found := _FIELD.fullmatch(line)) is None:
            return index, declared
        name, value = found[1].lower(), found[2].strip()
        if name in _LISTS:
            declared += [one.strip() for one in re.split(r"[,;、，]", value) if one.strip()]
        else:
            setattr(builder, "language" if name.startswith("lang") else name, value)
    return len(lines), declared


def named(line: str) -> re.Match[str] | None:
    """Return the parts of a line that may begin with a name."""
    found = _NAMED.fullmatch(line)
    if found is None or len(found["name"].split()) > _MANY_WORDS or found["words"].startswith("//"):
        return None
    return found


def _repeated(lines: Sequence[str]) -> set[str]:
    counts = Counter(folded(found["name"]) for found in map(named, lines) if found is not None)
    return {name for name, count in counts.items() if count > 1}


def _warn_of_others(lines: Sequence[str], first: int, names: Collection[str], builder: ScriptBuilder) -> None:
    others = [
        (number, found["name"].strip())
        for number, line in enumerate(lines[first:], first + 1)
        if not _COMMENT.match(line) and (found := named(line)) is not None and folded(found["name"]) not in names
    ]
    if not others:
        return
    shown = ", ".join(f"line {number} {quoted(name)}" for number, name in others[:_SHOWN])
    more = f" and {len(others) - _SHOWN:,} more" if len(others) > _SHOWN else ""
    remedy = f"if it is a speaker, declare it in the first line: `Cast: {others[0][1]}, …`"
    if names:
        builder.warnings.append(f"read as words, because it occurs once and is not declared: {shown}{more}; {remedy}")
    else:
        builder.fault_of_all(f"no name is declared or occurs twice: {shown}{more}; {remedy}")


@dataclass(slots=True)
class _Turns:
    """Divides lines into turns and adds them to a builder."""

    names: Collection[str]
    builder: ScriptBuilder
    open: _Open | None = None

    def line(self, number: int, line: str) -> None:
        found = named(line)
        if _COMMENT.match(line):
            self.builder.skip("comment", number, line)
        elif found is not None and folded(found["name"]) in self.names:
            self.close()
            self.open = _Open(found["name"], number, [found["words"]], found["direction"] or "")
        elif _SCENE.match(line) or _RULE.match(line):
            self.close()
            self.builder.scene(line.strip("= \t") if _SCENE.match(line) else "")
        elif line.strip():
            self._words(number, line)
        elif self.open is not None:
            self.open.is_closed = self.open.is_closed or any(map(str.strip, self.open.lines))
            self.open.lines.append("")

    def _words(self, number: int, line: str) -> None:
        if self.open is not None and self.open.is_closed and not line[:1].isspace():
            self.close()
        if self.open is None:
            self.open = _Open("", number, [line])
        else:
            self.open.lines.append(line)

    def close(self) -> None:
        if (turn := self.open) is not None:
            self.builder.turn(turn.speaker, "\n".join(turn.lines), turn.line, direction=turn.direction)
        self.open = None
