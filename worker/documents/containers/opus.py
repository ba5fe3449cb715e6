"""The comments of an Ogg Opus file (RFC 7845, RFC 3533): its second packet, written anew."""

from __future__ import annotations

import base64
import shutil
import zlib
from collections.abc import Iterator
from typing import IO, Final

from worker.documents.containers.description import Cover, Description

_VENDOR: Final = b"ttsq"
_MAX_SEGMENTS: Final = 255
_PAGE_HEAD: Final = 27
_CONTINUED: Final = 1
_FRONT_COVER: Final = 3
_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Every byte with its bits in the opposite order."""


def describe(source: IO[bytes], target: IO[bytes], description: Description) -> None:
    """Copy an Ogg Opus file with these comments alone. Raises ValueError: The source is not Ogg Opus."""
    first = _page(source)
    if first is None or b"OpusHead" not in first:
        raise ValueError("not an Ogg Opus file")
    target.write(first)
    serial = first[14:18]
    skipped = _skip_comments(source)
    pages = list(_pages(_comments(description), serial))
    target.write(b"".join(pages))
    shift = len(pages) - skipped
    if not shift:
        shutil.copyfileobj(source, target)
        return
    while (page := _page(source)) is not None:
        number = int.from_bytes(page[18:22], "little") + shift
        target.write(_sealed(page[:18] + number.to_bytes(4, "little") + page[22:]))


def _page(source: IO[bytes]) -> bytes | None:
    head = source.read(_PAGE_HEAD)
    if not head.startswith(b"OggS") or len(head) < _PAGE_HEAD:
        return None
    lengths = source.read(head[26])
    return head + lengths + source.read(sum(lengths))


def _skip_comments(source: IO[bytes]) -> int:
    """Pass over the pages of the comments; they end where a packet does. Returns how many there were."""
    count = 0
    while (page := _page(source)) is not None:
        count += 1
        lengths = page[_PAGE_HEAD : _PAGE_HEAD + page[26]]
        if not lengths or lengths[-1] < _MAX_SEGMENTS:
            return count
    raise ValueError("the Ogg Opus file ends in its comments")


def _comments(description: Description) -> bytes:
    found = [_comment("TITLE", description.title), _comment("ARTIST", description.author)]
    found.append(_comment("ALBUM", description.album))
    for number, mark in enumerate(description.chapters, 1):
        found += [_comment(f"CHAPTER{number:03}", _time(mark.start)), _comment(f"CHAPTER{number:03}NAME", mark.title)]
    if description.cover is not None:
        found.append(_comment("METADATA_BLOCK_PICTURE", base64.b64encode(_picture(description.cover)).decode()))
    found = [comment for comment in found if comment]
    return b"OpusTags" + _sized(_VENDOR) + len(found).to_bytes(4, "little") + b"".join(map(_sized, found))


def _comment(name: str, value: str) -> bytes:
    return f"{name}={value}".encode("utf-8", "replace") if value else b""


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little") + content


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def _picture(cover: Cover) -> bytes:
    """Return a FLAC picture block; players find its size in the image."""
    kind = cover.media_type.encode()
    numbers = [_FRONT_COVER.to_bytes(4, "big"), len(kind).to_bytes(4, "big"), kind, bytes(20)]
    return b"".join(numbers) + len(cover.content).to_bytes(4, "big") + cover.content


def _pages(packet: bytes, serial: bytes) -> Iterator[bytes]:
    lengths = bytes([_MAX_SEGMENTS] * (len(packet) // _MAX_SEGMENTS) + [len(packet) % _MAX_SEGMENTS])
    at = 0
    for number, start in enumerate(range(0, len(lengths), _MAX_SEGMENTS), 1):
        table = lengths[start : start + _MAX_SEGMENTS]
        body = packet[at : at + sum(table)]
        at += len(body)
        flags = _CONTINUED if start else 0
        ends = table[-1] < _MAX_SEGMENTS
        granule = bytes(8) if ends else b"\xff" * 8
        head = b"OggS\x00" + bytes([flags]) + granule + serial + number.to_bytes(4, "little") + bytes(4)
        yield _sealed(head + bytes([len(table)]) + table + body)


def _sealed(page: bytes) -> bytes:
    """Return a page with its checksum: zlib's CRC-32 with all bits mirrored, without its complements."""
    blank = page[:22] + bytes(4) + page[26:]
    mirrored = zlib.crc32(blank.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    value = int(f"{mirrored:032b}"[::-1], 2)
    return page[:22] + value.to_bytes(4, "little") + page[26:]
