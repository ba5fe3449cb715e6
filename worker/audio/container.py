"""Detects a file's container by its first bytes; the declared type is ignored."""

from __future__ import annotations

import sys
from array import array
from enum import StrEnum
from itertools import pairwise
from typing import Final

SNIFF_BYTES: Final = 64 * 1024
"""Enough of a file's beginning. Known containers need 16 bytes; headerless samples need more."""
MIN_SAMPLES: Final = 1024
"""Fewer non-zero samples don't show whether a signal is smooth."""
MAX_ROUGHNESS: Final = 1.0
"""Mean step between neighbouring samples by mean amplitude: speech at 24 kHz has 0.05 to 0.7, random bytes 1.33."""


ID3_HEADER_BYTES: Final = 10
MAX_JUNK_BYTES: Final = 8192
"""Before the first frame of an MP3."""
MIN_FRAMES: Final = 4
"""Consecutive frames that can't be a coincidence."""
_MPEG_RATES: Final = (44_100, 48_000, 32_000)
_KILOBITS_FIRST: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KILOBITS_LATER: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


class Container(StrEnum):
    """The containers that are distinguished."""

    WAV = "wav"
    """RIFF, RIFX or RF64 with WAVE inside."""
    MP3 = "mp3"
    """MPEG layer III, with or without an ID3 tag before it."""
    OGG = "ogg"
    """Vorbis, Opus or FLAC in Ogg pages."""
    FLAC = "flac"
    """Native FLAC."""
    AIFF = "aiff"
    """AIFF and AIFF-C."""
    AU = "au"
    """Sun and NeXT audio."""
    CAF = "caf"
    """Apple's Core Audio Format."""
    W64 = "w64"
    """Sony's Wave64."""
    MP4 = "mp4"
    """The ISO file format (M4A), mostly AAC. Recognised, but not decoded, like those below."""
    AAC = "aac"
    """AAC in ADTS frames, or with an ADIF header."""
    WEBM = "webm"
    """WebM and Matroska."""
    WMA = "wma"
    """Windows Media (ASF)."""
    AMR = "amr"
    """Adaptive Multi-Rate speech."""
    PCM = "pcm"
    """Samples without a header: 24 kHz, 16-bit little-endian, mono."""
    JSON = "json"
    """An object or array, which may name or hold the audio."""
    TEXT = "text"
    """Words or markup, such as a proxy's error page."""
    UNKNOWN = "unknown"
    """None of these."""

    @property
    def content_type(self) -> str:
        return _CONTENT_TYPES[self]

    @property
    def extension(self) -> str:
        """File name extension, without the dot."""
        return _EXTENSIONS.get(self, self.value)


_CONTENT_TYPES: Final = {
    Container.WAV: "audio/wav",
    Container.MP3: "audio/mpeg",
    Container.OGG: "audio/ogg",
    Container.FLAC: "audio/flac",
    Container.AIFF: "audio/aiff",
    Container.AU: "audio/basic",
    Container.CAF: "audio/x-caf",
    Container.W64: "audio/x-w64",
    Container.MP4: "audio/mp4",
    Container.AAC: "audio/aac",
    Container.WEBM: "audio/webm",
    Container.WMA: "audio/x-ms-wma",
    Container.AMR: "audio/amr",
    Container.PCM: "audio/L16;rate=24000;channels=1",
    Container.JSON: "application/json",
    Container.TEXT: "text/plain",
    Container.UNKNOWN: "application/octet-stream",
}
_EXTENSIONS: Final = {Container.MP4: "m4a", Container.TEXT: "txt", Container.UNKNOWN: "bin"}
_SIGNATURES: Final = (
    (b"OggS", Container.OGG),
    (b"fLaC", Container.FLAC),
    (b".snd", Container.AU),
    (b"caff\0\1", Container.CAF),
    (b"riff\x2e\x91\xcf\x11", Container.W64),
    (b"ADIF", Container.AAC),
    (b"\x1a\x45\xdf\xa3", Container.WEBM),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Container.WMA),
    (b"#!AMR", Container.AMR),
    *(
        (signature, Container.UNKNOWN)
        for signature in (b"PK\x03\x04", b"\x1f\x8b\x08", b"%PDF", b"\x89PNG", b"GIF8", b"BZh")
    ),
)


def sniff(head: bytes) -> Container:
    """The container of a file that begins with `head`; `SNIFF_BYTES` are always enough."""
    found = _by_signature(head) or _by_frame(head)
    if found is not None:
        return found
    if _is_text(head):
        return Container.JSON if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["} else Container.TEXT
    if _is_smooth(head):
        return Container.PCM
    return Container.MP3 if junk_bytes(head) else Container.UNKNOWN


def junk_bytes(head: bytes) -> int:
    """Bytes before the first MPEG frame; 0 if the first bytes identify the file."""
    return 0 if _by_signature(head) or _by_frame(head) else max(0, _first_frame(head))


def _by_signature(head: bytes) -> Container | None:
    if head[:4] in {b"RIFF", b"RIFX", b"RF64"} and head[8:12] == b"WAVE":
        return Container.WAV
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return Container.AIFF
    if head[4:8] == b"ftyp":
        return Container.MP4
    return next((container for signature, container in _SIGNATURES if head.startswith(signature)), None)


def _by_frame(head: bytes) -> Container | None:
    if head.startswith(b"ID3"):
        return _after_tag(head)
    if _is_layer_three(head):
        return Container.MP3
    return Container.AAC if _is_adts(head) else None


def _is_layer_three(head: bytes) -> bool:
    """An MPEG frame header: eleven sync bits, then no reserved value in any field."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sample_rate, emphasis = head[2] >> 4, head[2] >> 2 & 3, head[3] & 3
    return version != 1 and layer == 1 and bit_rate not in {0, 15} and sample_rate != 3 and emphasis != 2


def _is_adts(head: bytes) -> bool:
    """An ADTS header: twelve sync bits, layer 0, a known rate."""
    return len(head) >= 7 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0 and head[2] >> 2 & 15 < 13


def _after_tag(head: bytes) -> Container:
    """What follows an ID3 tag: MP3, unless the bytes show another container."""
    if len(head) < ID3_HEADER_BYTES:
        return Container.MP3
    return Container.AAC if _is_adts(head[id3_bytes(head) :]) else Container.MP3


def id3_bytes(head: bytes) -> int:
    """Size of the ID3 tag that the file begins with; 0 if none."""
    if not head.startswith(b"ID3") or len(head) < ID3_HEADER_BYTES:
        return 0
    size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return ID3_HEADER_BYTES + size


def _first_frame(head: bytes) -> int:
    """Offset of the first of several consecutive MPEG frames near the beginning; -1 if none."""
    at = head.find(0xFF)
    while 0 <= at < MAX_JUNK_BYTES and not _frames_follow(head, at):
        at = head.find(0xFF, at + 1)
    return at if at < MAX_JUNK_BYTES else -1


def _frames_follow(head: bytes, at: int) -> bool:
    kind = head[at + 1 : at + 2]
    for _ in range(MIN_FRAMES):
        size = frame_bytes(head[at : at + 4])
        if not size or head[at + 1 : at + 2] != kind:
            return False
        at += size
    return True


def frame_bytes(header: bytes) -> int:
    """Length of the MPEG layer III frame with this header; 0 if it is none."""
    if not _is_layer_three(header):
        return 0
    is_first = header[1] >> 3 & 3 == 3
    rate = _MPEG_RATES[header[2] >> 2 & 3] // (1 if is_first else 2 if header[1] >> 3 & 3 == 2 else 4)
    kilobits = (_KILOBITS_FIRST if is_first else _KILOBITS_LATER)[header[2] >> 4]
    return (144 if is_first else 72) * kilobits * 1000 // rate + (header[2] >> 1 & 1)


def _is_text(head: bytes) -> bool:
    """UTF-8 without control characters; the last character may be cut."""
    try:
        words = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        words = head[: error.start].decode()
    return bool(words) and not any(character < " " and character not in "\t\r\n\f\x1b" for character in words[:512])


def _is_smooth(head: bytes) -> bool:
    """Whether these are 16-bit little-endian samples of sound: neighbours resemble each other."""
    silent = len(head) - len(head.lstrip(b"\0"))
    samples = array("h", head[silent // 2 * 2 : len(head) // 2 * 2])
    return len(samples) >= MIN_SAMPLES and _roughness(samples) <= MAX_ROUGHNESS


def _roughness(samples: array[int]) -> float:
    if sys.byteorder == "big":
        samples.byteswap()
    mean = sum(samples) / len(samples)
    amplitude = sum(abs(sample - mean) for sample in samples)
    steps = sum(abs(after - before) for before, after in pairwise(samples))
    return steps / amplitude if amplitude else float("inf")
