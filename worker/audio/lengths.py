"""Corrects the number of samples in the headers of MP3 and FLAC files, because libsndfile reads no further than that.

What is encoded while it is spoken has no length in its header, a zero or the largest number there is; an MP3 of varying
bit rate may lack the header altogether, and its length is then guessed from the first frames.
"""

from __future__ import annotations

import struct
from typing import Final

from worker.audio.container import ID3_HEADER_BYTES, frame_bytes, id3_bytes, junk_bytes

MAX_TAIL_BYTES: Final = 8_192
"""After the last frame: tags. With more behind it the file is damaged, and is left as it is."""
MAX_FRAMES: Final = 200_000
"""More than an hour, which is more than is accepted."""
_XING: Final = (b"Xing", b"Info")
_HAS_FRAMES: Final = 1
_FLAC_TOTAL: Final = 21
"""Where the number of samples of a FLAC file lies: 36 bits, the first four in a byte that they share."""
_LOWEST_BIT_RATES: Final = range(1, 15)


def is_mp3_complete(content: bytes) -> bool:
    """Whether the header of an MP3 file knows all of its frames; one that knows of more is right until proved wrong."""
    _, frames = _sound(content)
    return not frames or _declared(content) >= frames


def with_mp3_frames(content: bytes) -> bytes:
    """The file from its first frame of sound on, behind a frame that says how many there are."""
    first, frames = _sound(content)
    return _header_frame(content[first:], frames) + content[first:] if frames else content


def with_flac_frames(content: bytes, frames: int) -> bytes:
    if content[:4] != b"fLaC":
        return content
    corrected = bytearray(content)
    corrected[_FLAC_TOTAL] = corrected[_FLAC_TOTAL] & 0xF0 | frames >> 32 & 0xF
    corrected[_FLAC_TOTAL + 1 : _FLAC_TOTAL + 5] = struct.pack(">I", frames & 0xFFFF_FFFF)
    return bytes(corrected)


def _sound(content: bytes) -> tuple[int, int]:
    """Where the first frame of sound lies, and how many there are; none where more than tags follows the last."""
    first = id3_bytes(content[:ID3_HEADER_BYTES]) or junk_bytes(content[: MAX_TAIL_BYTES * 2])
    if size := _is_header(content[first : first + 64]) and frame_bytes(content[first : first + 4]):
        first += size
    at, frames = first, 0
    while (size := frame_bytes(content[at : at + 4])) and at + size <= len(content) and frames < MAX_FRAMES:
        at, frames = at + size, frames + 1
    return first, frames if len(content) - at <= MAX_TAIL_BYTES else 0


def _declared(content: bytes) -> int:
    """The number of frames that the first one declares; 0 if none."""
    at = id3_bytes(content[:ID3_HEADER_BYTES])
    frame = content[at : at + 64]
    if not (frame_bytes(frame[:4]) and _is_header(frame)):
        return 0
    _, flags, frames = struct.unpack_from(">4sII", frame, 4 + _side_bytes(frame))
    return int(frames) if flags & _HAS_FRAMES else 0


def _is_header(frame: bytes) -> bool:
    if len(frame) < 4:
        return False
    at = 4 + _side_bytes(frame)
    return frame[at : at + 4] in _XING


def _side_bytes(header: bytes) -> int:
    """Between a frame's header and its sound; depends on the MPEG version and on the channels."""
    is_mono = header[3] >> 6 == 3
    if _is_first(header):
        return 17 if is_mono else 32
    return 9 if is_mono else 17


def _is_first(header: bytes) -> bool:
    return header[1] >> 3 & 3 == 3


def _header_frame(sound: bytes, frames: int) -> bytes:
    """A silent frame of the same kind, as short as the number of frames fits in."""
    words = bytes(_side_bytes(sound)) + struct.pack(">4sII", _XING[0], _HAS_FRAMES, frames)
    for rate in _LOWEST_BIT_RATES:
        header = bytes((sound[0], sound[1] | 1, rate << 4 | sound[2] & 0x0C, sound[3]))
        if (size := frame_bytes(header)) >= len(header) + len(words):
            return (header + words).ljust(size, b"\0")
    return b""
