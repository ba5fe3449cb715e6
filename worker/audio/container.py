"""Which container a file is, told from its first bytes alone; what the sender called it doesn't count."""

from __future__ import annotations

import sys
from array import array
from enum import StrEnum
from itertools import pairwise
from typing import Final

SNIFF_BYTES: Final = 64 * 1024
"""As much of a file's beginning as is of use. Known containers need 16 bytes; headerless samples, some to judge by."""
MIN_SAMPLES: Final = 1024
"""Fewer samples that aren't zero tell nothing about how smooth a signal is."""
MAX_ROUGHNESS: Final = 1.0
"""Mean step between neighbouring samples by mean amplitude: speech at 24 kHz has 0.05 to 0.7, random bytes 1.33."""


class Container(StrEnum):
    """The containers that are told apart."""

    WAV = "wav"
    """RIFF, RIFX or RF64 with WAVE inside."""
    MP3 = "mp3"
    """MPEG layer III, with or without an ID3 tag before it."""
    OGG = "ogg"
    """Vorbis, Opus or FLAC in Ogg pages."""
    FLAC = "flac"
    """Native FLAC."""
    MP4 = "mp4"
    """The ISO file format (M4A), mostly AAC; recognised, but not decoded here."""
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
        """The media type to store it under."""
        return _CONTENT_TYPES[self]

    @property
    def extension(self) -> str:
        """The file name's ending, without the dot."""
        return _EXTENSIONS.get(self, self.value)


_CONTENT_TYPES: Final = {
    Container.WAV: "audio/wav",
    Container.MP3: "audio/mpeg",
    Container.OGG: "audio/ogg",
    Container.FLAC: "audio/flac",
    Container.MP4: "audio/mp4",
    Container.PCM: "audio/L16;rate=24000;channels=1",
    Container.JSON: "application/json",
    Container.TEXT: "text/plain",
    Container.UNKNOWN: "application/octet-stream",
}
_EXTENSIONS: Final = {Container.MP4: "m4a", Container.TEXT: "txt", Container.UNKNOWN: "bin"}
_SIGNATURES: Final = ((b"ID3", Container.MP3), (b"OggS", Container.OGG), (b"fLaC", Container.FLAC))


def sniff(head: bytes) -> Container:
    """The container of a file that begins with `head`, of which `SNIFF_BYTES` are always enough."""
    if head[:4] in {b"RIFF", b"RIFX", b"RF64"} and head[8:12] == b"WAVE":
        return Container.WAV
    if head[4:8] == b"ftyp":
        return Container.MP4
    for signature, container in _SIGNATURES:
        if head.startswith(signature):
            return container
    if _is_layer_three(head):
        return Container.MP3
    if _is_text(head):
        return Container.JSON if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["} else Container.TEXT
    return Container.PCM if _is_smooth(head) else Container.UNKNOWN


def _is_layer_three(head: bytes) -> bool:
    """Whether an MPEG frame header stands here: eleven bits of sync, then no reserved value in any field."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sample_rate, emphasis = head[2] >> 4, head[2] >> 2 & 3, head[3] & 3
    return version != 1 and layer == 1 and bit_rate not in {0, 15} and sample_rate != 3 and emphasis != 2


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
    """Whether 16-bit little-endian samples of sound lie here, after silence or not: neighbours resemble each other."""
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
