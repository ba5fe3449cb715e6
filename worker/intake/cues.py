"""The cues of subtitles (SubRip and WebVTT, https://www.w3.org/TR/webvtt1/), without styles, regions and comments."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

_TIME: Final = r"((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})"
_TIMES: Final = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}")
_SPEAKER: Final = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_MARKUP: Final = re.compile(r"</?[A-Za-z][^>]*>|<\d[\d:.]*>|\{\\[^}]*\}")
_OTHER_BLOCKS: Final = ("WEBVTT", "NOTE", "STYLE", "REGION")


@dataclass(slots=True)
class Cue:
    line: int
    """Of its times."""
    start: str
    end: str
    name: str
    last: int
    """Its last line."""
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its lines without markup."""
        return html.unescape(_MARKUP.sub("", "\n".join(self.lines)))

    @property
    def speaker(self) -> str | None:
        found = _SPEAKER.search(" ".join(self.lines))
        return found[1].strip() if found else None


def cues(lines: Iterable[tuple[int, str]]) -> Iterator[Cue]:
    """Yield every cue of numbered lines, also those without text."""
    cue: Cue | None = None
    name = ""
    for number, text in lines:
        bare = text.strip()
        found = _TIMES.match(bare)
        if cue is not None and (found or not bare):
            yield cue
            cue = None
        if found:
            cue, name = Cue(number, found[1], found[2], name, number), ""
        elif cue is not None:
            cue.lines.append(bare)
            cue.last = number
        else:
            name = "" if bare.startswith(_OTHER_BLOCKS) else bare
    if cue is not None:
        yield cue


def seconds(time: str) -> float:
    """Of a cue's start or end, such as 01:02:03,500."""
    *hours, minutes, rest = time.replace(",", ".").split(":")
    return (int(hours[0]) if hours else 0) * 3_600 + int(minutes) * 60 + float(rest)
