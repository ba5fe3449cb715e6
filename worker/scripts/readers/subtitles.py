"""Subtitles as scripts: WebVTT's `<v Anna>`, names before a colon, and the actor field of SubStation Alpha."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from worker.intake.cues import cues
from worker.scripts.readers.builder import ScriptBuilder
from worker.scripts.readers.names import named
from worker.scripts.script import folded

_ENDED: Final = re.compile(r"[.!?…。！？][\"'”’»)\]]*\Z")
_OVERRIDE: Final = re.compile(r"\{[^{}]*\}")
_BREAK: Final = re.compile(r"\\[Nnh]")
_DASH: Final = re.compile(r"^[-–—]\s*")
_SOUND: Final = re.compile(r"♪[^♪]*♪?")
_TEXT, _NAME, _START = "text", "name", "start"
_ACTOR: Final = "actor"
_USUAL_FORMAT: Final = ("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text")


@dataclass(slots=True)
class _Said:
    line: int
    speaker: str | None
    """None if the cue has no name: it continues, or is narration."""
    text: str


def read(source: str, builder: ScriptBuilder, known: Collection[str] = ()) -> None:
    """Read SubRip or WebVTT. Times are not kept."""
    found = [_Said(cue.line, cue.speaker, cue.text) for cue in cues(enumerate(source.split("\n"), 1))]
    if not found:
        builder.fault_of_all("has no subtitles; a subtitle is a line such as 00:00:01,000 --> 00:00:02,500")
    _add(_labelled(found, known), builder)


def read_ass(source: str, builder: ScriptBuilder) -> None:
    """Read SubStation Alpha (.ass, .ssa), in the order of its times, which are not kept."""
    _add([said for _, said in sorted(_dialogues(source, builder), key=lambda found: found[0])], builder)


def _dialogues(source: str, builder: ScriptBuilder) -> Iterator[tuple[str, _Said]]:
    columns: tuple[str, ...] = _USUAL_FORMAT
    in_events = False
    for number, line in enumerate(source.split("\n"), 1):
        bare = line.strip()
        kind, _, rest = bare.partition(":")
        if bare.startswith("["):
            in_events = bare.lower() == "[events]"
        elif kind.lower() == "title" and not builder.title:
            builder.title = rest.strip()
        elif in_events and kind == "Format":
            columns = tuple(name.strip().lower().replace(_ACTOR, _NAME) for name in rest.split(","))
        elif in_events and kind == "Dialogue":
            cells = rest.split(",", len(columns) - 1)
            if len(cells) < len(columns) or _TEXT not in columns:
                builder.fault(number, "", f"has {len(cells)} fields; the format names {len(columns)}")
                continue
            named_cells = dict(zip(columns, cells, strict=True))
            text = _BREAK.sub(" ", _OVERRIDE.sub("", named_cells[_TEXT]))
            start = named_cells.get(_START, "").strip().rjust(12, "0")
            yield start, _Said(number, named_cells.get(_NAME, "").strip(), text)


def _labelled(found: list[_Said], known: Collection[str]) -> list[_Said]:
    """Take names before a colon from cues without a voice span: those that are known or occur twice."""
    lines = (_DASH.sub("", line) for said in found if said.speaker is None for line in said.text.split("\n"))
    counts = Counter(folded(match["name"]) for match in map(named, lines) if match is not None)
    usable = {*map(folded, known), *(name for name, count in counts.items() if count > 1)}
    return [labelled for said in found for labelled in _divided(said, usable)]


def _divided(said: _Said, usable: Collection[str]) -> Iterator[_Said]:
    if said.speaker is not None:
        yield said
        return
    current = _Said(said.line, None, "")
    for line in said.text.split("\n"):
        match = named(_DASH.sub("", line))
        if match is not None and folded(match["name"]) in usable:
            if current.text.strip():
                yield current
            direction = f"[{match['direction']}] " if match["direction"] else ""
            current = _Said(said.line, match["name"], direction + match["words"])
        else:
            current.text = f"{current.text} {_DASH.sub('', line)}"
    if current.text.strip():
        yield current


def _add(found: list[_Said], builder: ScriptBuilder) -> None:
    pending: _Said | None = None
    for said in found:
        text = " ".join(_SOUND.sub(" ", said.text).split())
        if not any(map(str.isalnum, text)):
            if said.text.strip():
                builder.skip("sound", said.line, said.text)
            continue
        if pending is not None and _continues(pending, said):
            pending.text += f" {text}"
            continue
        if pending is not None:
            builder.turn(pending.speaker or "", pending.text, pending.line)
        pending = _Said(said.line, said.speaker, text)
    if pending is not None:
        builder.turn(pending.speaker or "", pending.text, pending.line)


def _continues(pending: _Said, said: _Said) -> bool:
    """Whether a cue belongs to the turn before: the same speaker in the middle of a sentence."""
    same = said.speaker is None or folded(said.speaker) == folded(pending.speaker or "")
    return same and not _ENDED.search(pending.text)
