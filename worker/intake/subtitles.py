"""Subtitles: one job per cue. Times, identifiers and speakers go to the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from api_models.problems import Fault
from worker.intake.block import Line, Record
from worker.intake.carried import packed
from worker.intake.cues import Cue, cues
from worker.intake.header import TEXT


def parse(lines: Iterable[Line]) -> Iterator[Record | Fault]:
    """Yield one record per cue with a text, numbered by the line of its times."""
    is_blank = True
    found = False

    def watched() -> Iterator[Line]:
        nonlocal is_blank
        for line in lines:
            is_blank = is_blank and not line.text.strip()
            yield line

    for cue in cues(watched()):
        found = True
        if text := " ".join(cue.text.split()):
            yield Record(cue.line, cue.last, {TEXT: text}, packed(_carried(cue)))
    if not (found or is_blank):
        yield Fault(message="holds no subtitles: there is no line such as 00:00:01,000 --> 00:00:04,000")


def _carried(cue: Cue) -> list[tuple[str, str]]:
    values = [("start", cue.start), ("end", cue.end), ("cue", cue.name)]
    return values + ([("speaker", cue.speaker)] if cue.speaker else [])
