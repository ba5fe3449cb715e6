"""SubRip and WebVTT subtitles: cues that form a sentence become one block with their place in time."""

from __future__ import annotations

import re
from typing import Final

from worker.documents.document import BlockKind, Document, DocumentBuilder, Slot
from worker.documents.errors import DocumentError

_TIME: Final = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_TIMING: Final = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}.*")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}|<\d[\d:.]*>")
_SOUND: Final = re.compile(r"[\[(♪][^\])♪]*[\])♪]|♪")
_ENDED: Final = re.compile(r"[.!?…。！？][\"'”’»)\]]*\Z")
_SPEAKER_DASH: Final = re.compile(r"^[-–—]\s*", re.MULTILINE)
MAX_GAP_SECONDS: Final = 0.6
"""Cues further apart belong to different sentences."""
MAX_GROUP_SECONDS: Final = 20.0
_HOUR, _MINUTE = 3600, 60


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


def _cues(source: str, builder: DocumentBuilder) -> list[tuple[Slot, str]]:
    cues: list[tuple[Slot, str]] = []
    lines = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    starts = [index for index, line in enumerate(lines) if _TIMING.fullmatch(line)]
    for index, start in enumerate(starts):
        end = starts[index + 1] if index + 1 < len(starts) else len(lines)
        slot, text = _slot(lines[start], start + 1), _text(lines[start + 1 : end])
        for sound in _SOUND.findall(text):
            builder.skip("sound", f"line {start + 1}", sound)
        text = " ".join(_SOUND.sub(" ", text).split())
        if any(map(str.isalnum, text)):
            cues.append((slot, text))
    return cues


def _text(lines: list[str]) -> str:
    """Return a cue's text: its lines up to the first blank one, without markup."""
    length = next((index for index, line in enumerate(lines) if not line.strip()), len(lines))
    return _SPEAKER_DASH.sub("", _TAG.sub("", "\n".join(lines[:length])))


def _slot(line: str, number: int) -> Slot:
    match = _TIMING.fullmatch(line)
    parts = match.groups() if match else ()
    start, end = _seconds(*parts[:4]), _seconds(*parts[4:])
    if end < start:
        raise DocumentError(f"line {number}: the subtitle ends before it begins")
    return Slot(start, end)


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    whole = int(hours or 0) * _HOUR + int(minutes) * _MINUTE + int(seconds)
    return whole + int(fraction.ljust(3, "0")) / 1000
