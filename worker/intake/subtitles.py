"""Subtitles (SubRip and WebVTT): one job per cue. Times, identifiers and speakers go to the manifest.

WebVTT: https://www.w3.org/TR/webvtt1/. Styles, regions and comments are left out, and so is markup inside a cue.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from api_models.problems import Fault
from worker.intake.block import Line, Record
from worker.intake.carried import packed
from worker.intake.header import TEXT

_TIMES: Final = re.compile(r"\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})")
_SPEAKER: Final = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_MARKUP: Final = re.compile(r"</?[A-Za-z][^>]*>|<\d[\d:.]*>|\{\\[^}]*\}")
_OTHER_BLOCKS: Final = ("WEBVTT", "NOTE", "STYLE", "REGION")


@dataclass(slots=True)
class _Cue:
    line: int
    start: str
    end: str
    name: str
    texts: list[str] = field(default_factory=list)
    last: int = 0

    def record(self) -> Record | None:
        written = " ".join(self.texts)
        speaker = _SPEAKER.search(written)
        text = " ".join(html.unescape(_MARKUP.sub("", written)).split())
        values = [("start", self.start), ("end", self.end), ("cue", self.name)]
        values += [("speaker", speaker[1].strip())] if speaker else []
        return Record(self.line, self.last, {TEXT: text}, packed(values)) if text else None


def parse(lines: Iterable[Line]) -> Iterator[Record | Fault]:
    """Yield one record per cue, numbered by the line of its times."""
    cue: _Cue | None = None
    name, cues, written = "", 0, False
    for number, text in lines:
        bare = text.strip()
        written = written or bool(bare)
        if found := _TIMES.match(bare):
            cues += 1
            cue, name = _Cue(number, found[1], found[2], name), ""
        elif not bare:
            yield from _finished(cue)
            cue, name = None, ""
        elif cue is not None:
            cue.texts.append(bare)
            cue.last = number
        else:
            name = "" if bare.startswith(_OTHER_BLOCKS) else bare
    yield from _finished(cue)
    if written and not cues:
        yield Fault(message="holds no subtitles: there is no line such as 00:00:01,000 --> 00:00:04,000")


def _finished(cue: _Cue | None) -> Iterator[Record]:
    record = None if cue is None else cue.record()
    if record is not None:
        yield record
