"""The header of a recording's MP3: titles, chapters (https://id3.org/id3v2-chapters-1.0) and a cover."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from worker.audio.id3 import frame, header_of, text_frame
from worker.documents.containers.description import ChapterMark, Cover, Description

_LATIN_1: Final = b"\x00"
_FRONT_COVER: Final = b"\x03"
_TOP_LEVEL_AND_ORDERED: Final = b"\x03"
_NO_OFFSET: Final = b"\xff\xff\xff\xff"
"""Chapters are found by time, not by byte."""
MAX_CHAPTERS: Final = 255
"""The table of contents counts in one byte."""
MAX_MILLISECONDS: Final = 2**32 - 2


def header(description: Description) -> bytes:
    """Return the header; empty if there is nothing to say."""
    return header_of(_frames(description))


def _frames(description: Description) -> Iterator[bytes]:
    named = (
        (b"TIT2", description.title),
        (b"TPE1", description.author),
        (b"TALB", description.album),
        (b"TRCK", description.track),
    )
    yield from (text_frame(name, value) for name, value in named if value)
    chapters = description.chapters[:MAX_CHAPTERS]
    if chapters:
        yield _contents(len(chapters))
    yield from (_chapter(number, mark) for number, mark in enumerate(chapters))
    if description.cover is not None:
        yield _picture(description.cover)


def _element(number: int) -> bytes:
    return b"chp%d\x00" % number


def _contents(count: int) -> bytes:
    children = b"".join(_element(number) for number in range(count))
    return frame(b"CTOC", b"toc\x00" + _TOP_LEVEL_AND_ORDERED + bytes([count]) + children)


def _chapter(number: int, mark: ChapterMark) -> bytes:
    times = b"".join(min(MAX_MILLISECONDS, round(at * 1000)).to_bytes(4, "big") for at in (mark.start, mark.end))
    return frame(b"CHAP", _element(number) + times + 2 * _NO_OFFSET + text_frame(b"TIT2", mark.title))


def _picture(cover: Cover) -> bytes:
    return frame(b"APIC", _LATIN_1 + cover.media_type.encode() + b"\x00" + _FRONT_COVER + b"\x00" + cover.content)
