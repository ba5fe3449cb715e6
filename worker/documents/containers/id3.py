"""The header of an MP3: ID3v2.4 (id3.org/id3v2.4.0-structure) with chapters (id3.org/id3v2-chapters-1.0)."""

from __future__ import annotations

from typing import Final

from worker.documents.containers.description import ChapterMark, Cover, Description

_UTF_8: Final = b"\x03"
_FRONT_COVER: Final = b"\x03"
_TOP_LEVEL_AND_ORDERED: Final = b"\x03"
_NO_OFFSET: Final = b"\xff\xff\xff\xff"
"""Chapters are found by time, not by byte."""
MAX_CHAPTERS: Final = 255
"""The table of contents counts in one byte."""
MAX_MILLISECONDS: Final = 2**32 - 2


def header(description: Description) -> bytes:
    """Return the header; empty if there is nothing to say."""
    frames = b"".join(
        _text(name, value)
        for name, value in ((b"TIT2", description.title), (b"TPE1", description.author), (b"TALB", description.album))
        if value
    )
    chapters = description.chapters[:MAX_CHAPTERS]
    if chapters:
        frames += _contents(len(chapters)) + b"".join(_chapter(number, mark) for number, mark in enumerate(chapters))
    if description.cover is not None:
        frames += _picture(description.cover)
    return b"ID3\x04\x00\x00" + _synchsafe(len(frames)) + frames if frames else b""


def _frame(name: bytes, content: bytes) -> bytes:
    return name + _synchsafe(len(content)) + b"\x00\x00" + content


def _text(name: bytes, value: str) -> bytes:
    return _frame(name, _UTF_8 + value.replace("\0", " ").encode("utf-8", "replace"))


def _element(number: int) -> bytes:
    return b"chp%d\x00" % number


def _contents(count: int) -> bytes:
    children = b"".join(_element(number) for number in range(count))
    return _frame(b"CTOC", b"toc\x00" + _TOP_LEVEL_AND_ORDERED + bytes([count]) + children)


def _chapter(number: int, mark: ChapterMark) -> bytes:
    times = b"".join(min(MAX_MILLISECONDS, round(at * 1000)).to_bytes(4, "big") for at in (mark.start, mark.end))
    return _frame(b"CHAP", _element(number) + times + 2 * _NO_OFFSET + _text(b"TIT2", mark.title))


def _picture(cover: Cover) -> bytes:
    return _frame(b"APIC", _UTF_8 + cover.media_type.encode() + b"\x00" + _FRONT_COVER + b"\x00" + cover.content)


def _synchsafe(size: int) -> bytes:
    """Return four bytes of seven bits, so that no decoder mistakes a size for audio."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
