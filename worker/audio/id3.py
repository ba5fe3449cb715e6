"""The tags of an MP3: an ID3v2.3 header before the audio (https://id3.org/id3v2.3.0). The audio itself is unchanged."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from api_models.encodings import AudioTags
from worker.environment import private_files

_MARK: Final = b"ID3"
_HEADER_BYTES: Final = 10
_UTF_16: Final = b"\x01"
_FRAMES: Final = (("title", b"TIT2"), ("artist", b"TPE1"), ("album", b"TALB"), ("track", b"TRCK"))
PARTIAL_SUFFIX: Final = ".tags"


def header(tags: AudioTags) -> bytes:
    """The header; empty if there are no tags."""
    return header_of(text_frame(name, value) for field, name in _FRAMES if (value := getattr(tags, field)))


def header_of(frames: Iterable[bytes]) -> bytes:
    """The header with these frames; empty if there are none."""
    content = b"".join(frames)
    return _MARK + b"\x03\x00\x00" + _synchsafe(len(content)) + content if content else b""


def text_frame(name: bytes, value: str) -> bytes:
    text = value.replace("\0", " ").encode("utf-16-le", "replace")
    return frame(name, _UTF_16 + b"\xff\xfe" + text)


def frame(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "big") + b"\x00\x00" + content


def retag(path: Path, into: Path, tags: AudioTags) -> None:
    """Write the MP3 at `path` with these tags alone; `into` may be `path`. Raises OSError."""
    partial = into.with_name(into.name + PARTIAL_SUFFIX)
    try:
        with path.open("rb") as source, private_files.opened(partial) as target:
            source.seek(_audio_offset(source.read(_HEADER_BYTES)))
            target.write(header(tags))
            shutil.copyfileobj(source, target)
        partial.replace(into)
    finally:
        partial.unlink(missing_ok=True)


def _audio_offset(head: bytes) -> int:
    """Bytes of the header that a file begins with, or 0."""
    if len(head) < _HEADER_BYTES or not head.startswith(_MARK):
        return 0
    size = 0
    for byte in head[6:_HEADER_BYTES]:
        size = size << 7 | byte & 0x7F
    return _HEADER_BYTES + size


def _synchsafe(size: int) -> bytes:
    """Seven bits a byte, so that no decoder mistakes the size for audio."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
