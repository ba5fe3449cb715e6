"""SubRip and WebVTT subtitles: cues that form a sentence become one block with their place in time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from worker.documents.document import BlockKind, Document, DocumentBuilder, Slot
from worker.documents.errors import DocumentError
from worker.intake.cues import cues, seconds

_SOUND: Final = re.compile(r"[\[(♪][^\])♪]*[\])♪]|♪")
_ENDED: Final = re.compile(r"[.!?…。！？][\"'”’»)\]]*\Z")
_SPEAKER_DASH: Final = re.compile(r"^[-–—]\s*", re.MULTILINE)
MAX_GAP_SECONDS: Final = 0.6
"""Cues further apart belong to different sentences."""
MAX_GROUP_SECONDS: Final = 20.0


def read(source: str) -> Document:
    """Read cues. Raises DocumentError: There is no cue, or one ends before it begins."""
    builder = DocumentBuilder()
    pending: tuple[Slot, str] | None = None
    for slot, text in _cues(source, builder):
        if pending is not None and _belongs(pending, slot):
            pending = Slot(pending[0].start, slot.end), f"{pending[1]} {text}"
            continue
        if pending is not None:
            builder.block(BlockKind.CUE, pending[1], pending[0])
        pending = slot, text
    if pending is None:
        raise DocumentError("the file has no subtitles", "a subtitle is a line such as 00:00:01,000 --> 00:00:02,500")
    builder.block(BlockKind.CUE, pending[1], pending[0])
    return builder.build()


def _belongs(pending: tuple[Slot, str], slot: Slot) -> bool:
    before, text = pending
    near = slot.start - before.end <= MAX_GAP_SECONDS and slot.end - before.start <= MAX_GROUP_SECONDS
    return near and not _ENDED.search(text)


def _cues(source: str, builder: DocumentBuilder) -> Iterator[tuple[Slot, str]]:
    lines = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for cue in cues(enumerate(lines, 1)):
        slot = Slot(seconds(cue.start), seconds(cue.end))
        if slot.end < slot.start:
            raise DocumentError(f"line {cue.line}: the subtitle ends before it begins")
        text = _SPEAKER_DASH.sub("", cue.text)
        for sound in _SOUND.findall(text):
            builder.skip("sound", f"line {cue.line}", sound)
        text = " ".join(_SOUND.sub(" ", text).split())
        if any(map(str.isalnum, text)):
            yield slot, text
