"""What sound may be at most: what no speech needs would take memory or time without limit."""

from __future__ import annotations

from typing import Final

from worker.audio.errors import BadAudio, BadAudioError

MIN_SAMPLE_RATE: Final = 8_000
MAX_SAMPLE_RATE: Final = 192_000
MAX_CHANNELS: Final = 8
MAX_SECONDS: Final = 3_600
"""The vendor's longest takes are about 655 s."""


def require_bounds(sample_rate: int, channels: int, frames: int) -> None:
    """Raise BadAudioError, `unreadable`, for what no speech needs, and what would take memory or time without limit."""
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        what = f"{sample_rate:,} Hz, where {MIN_SAMPLE_RATE:,} to {MAX_SAMPLE_RATE:,} Hz are supported"
    elif not 1 <= channels <= MAX_CHANNELS:
        what = f"{channels:,} channels, where {MAX_CHANNELS} are the limit"
    elif frames > MAX_SECONDS * sample_rate:
        what = f"{frames / sample_rate:,.0f} s, where {MAX_SECONDS:,} s are the limit"
    else:
        return
    raise BadAudioError(BadAudio.UNREADABLE, f"sound of {what}")
