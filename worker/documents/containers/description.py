"""What a recording says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.documents.errors import DocumentError

MAX_COVER_BYTES: Final = 10 * 2**20
_IMAGES: Final = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


@dataclass(frozen=True, slots=True)
class ChapterMark:
    """A chapter, in seconds from the beginning."""

    title: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Cover:
    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Description:
    """Empty fields are left out."""

    title: str = ""
    author: str = ""
    album: str = ""
    chapters: tuple[ChapterMark, ...] = ()
    cover: Cover | None = None
    track: str = ""
    """Such as 3 or 3/12; MP3 only."""

    def __bool__(self) -> bool:
        return bool(self.title or self.author or self.album or self.track or self.chapters or self.cover)


def read_cover(path: Path) -> Cover:
    """Read an image. Raises DocumentError: It is no JPEG or PNG, or larger than `MAX_COVER_BYTES`; OSError: It can't be
    read.
    """
    if path.stat().st_size > MAX_COVER_BYTES:
        raise DocumentError(f"{path.name} has over {MAX_COVER_BYTES // 2**20} MB", "use a smaller image")
    content = path.read_bytes()
    media_type = next((kind for mark, kind in _IMAGES if content.startswith(mark)), None)
    if media_type is None:
        raise DocumentError(f"{path.name} is not a JPEG or PNG image")
    return Cover(content, media_type)
