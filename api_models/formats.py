"""Audio formats that a producer or a client may request, with extension and media type."""

from __future__ import annotations

from enum import StrEnum


class AudioFormat(StrEnum):
    """Container and codec of a job's audio."""

    WAV = "wav"
    """The samples as received."""
    FLAC = "flac"
    """The same samples in about half the size."""
    MP3 = "mp3"
    """Lossy; supported everywhere."""
    OPUS = "opus"
    """Lossy, in an Ogg container; smallest for speech."""

    @property
    def extension(self) -> str:
        """The file extension, without a dot."""
        return self.value

    @property
    def content_type(self) -> str:
        """The media type: RFC 9639 for FLAC, RFC 3003 for MP3, RFC 7845 for Opus in Ogg."""
        return _CONTENT_TYPES[self]


_CONTENT_TYPES = {
    AudioFormat.WAV: "audio/wav",
    AudioFormat.FLAC: "audio/flac",
    AudioFormat.MP3: "audio/mpeg",
    AudioFormat.OPUS: "audio/ogg",
}


class DeliveryFormat(StrEnum):
    """Form in which a gateway delivers stored audio to a client of OpenAI's API: always one channel of 24 kHz."""

    MP3 = "mp3"
    OPUS = "opus"
    """In an Ogg container."""
    AAC = "aac"
    """In ADTS frames."""
    FLAC = "flac"
    WAV = "wav"
    PCM = "pcm"
    """16-bit little-endian samples without a header."""

    @property
    def content_type(self) -> str:
        """The media type of the bytes; AAC in ADTS and bare samples have no RFC."""
        return _DELIVERED_TYPES[self]


_DELIVERED_TYPES = {
    DeliveryFormat.MP3: "audio/mpeg",
    DeliveryFormat.OPUS: "audio/ogg",
    DeliveryFormat.AAC: "audio/aac",
    DeliveryFormat.FLAC: "audio/flac",
    DeliveryFormat.WAV: "audio/wav",
    DeliveryFormat.PCM: "audio/pcm",
}

LOUDNESS_RANGE = (-36.0, -9.0)
"""Permitted loudness in LUFS: quieter speech is inaudible, louder speech distorts."""
