"""Audio formats that a producer may request, with extension and media type."""

from __future__ import annotations

from enum import StrEnum


class AudioFormat(StrEnum):
    """Container and codec of a job's audio. The sample rate is always the API's."""

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

LOUDNESS_RANGE = (-36.0, -9.0)
"""Permitted loudness in LUFS: quieter speech is inaudible, louder speech distorts."""
