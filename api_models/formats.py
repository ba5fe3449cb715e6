"""The forms in which audio can be handed over: what a producer may ask for, and what a file of it is called."""

from __future__ import annotations

from enum import StrEnum


class AudioFormat(StrEnum):
    """The container and codec of a job's object. The sample rate is always the API's own."""

    WAV = "wav"
    """The samples as they came."""
    FLAC = "flac"
    """The same samples in about half the space."""
    MP3 = "mp3"
    """Lossy; played everywhere."""
    OPUS = "opus"
    """Lossy, in an Ogg container; the smallest for speech."""

    @property
    def extension(self) -> str:
        """The ending of a file's name, without its dot."""
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
"""LUFS that may be asked for: below, speech is lost in any room; above, it can't be reached without distortion."""
