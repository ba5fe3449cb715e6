"""Every way in which a file can fail to be audio, as one exception that carries data."""

from __future__ import annotations

from enum import StrEnum


class BadAudio(StrEnum):
    """Why a file isn't accepted, in a word that stays the same from release to release."""

    EMPTY = "empty"
    """No byte at all."""
    NOT_AUDIO = "not_audio"
    """Text, JSON or something else that is no audio."""
    NO_FRAMES = "no_frames"
    """A well-formed container with nothing to hear in it."""
    CUT_OFF = "cut_off"
    """The container promises more than the file holds."""
    UNREADABLE = "unreadable"
    """A known container that can't be decoded: damaged, or beyond the bounds of what is decoded."""
    UNSUPPORTED = "unsupported"
    """A container that this program does not decode. Another take would come in the same one."""
    OUT_OF_RANGE = "out_of_range"
    """Samples that are no number, or far beyond full scale."""


class BadAudioError(Exception):
    """The file is no audio that anyone could be given."""

    def __init__(self, reason: BadAudio, message: str) -> None:
        """`message` is for people: what the file is instead, with the numbers that show it."""
        super().__init__(message)
        self.reason: str = reason
        self.message = message
