"""A take in the form that its producer asked for, streamed in blocks. The sample rate is never touched.

Its weakness: a loudness target is reached by one gain over the whole file, and not at all where the loudest sample
would then be clipped: the gain stops there.

Importing it costs numpy and libsndfile: import it where a take is encoded, inside the function.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import soundfile

from api_models.formats import AudioFormat
from worker.audio.errors import BadAudio, BadAudioError
from worker.audio.measures import FLOOR_LUFS, Measures
from worker.audio.samples import blocks
from worker.audio.take import Take

BLOCK_FRAMES: Final = 65_536
PEAK_CEILING_DBFS: Final = -1.0
"""No gain lifts the loudest sample above this: lossy codecs overshoot by up to a decibel (EBU R 128)."""
MAX_GAIN_DB: Final = 30.0
"""A take that needs more is noise, and louder noise is no better."""
PARTIAL_SUFFIX: Final = ".part"


class Codec(NamedTuple):
    """What libsndfile calls it."""

    container: str
    subtype: str


CODECS: Final = {
    AudioFormat.WAV: Codec("WAV", "PCM_16"),
    AudioFormat.FLAC: Codec("FLAC", "PCM_16"),
    AudioFormat.MP3: Codec("MP3", "MPEG_LAYER_III"),
    AudioFormat.OPUS: Codec("OGG", "OPUS"),
}
_RATES: Final = {
    AudioFormat.OPUS: frozenset({8_000, 12_000, 16_000, 24_000, 48_000}),
    AudioFormat.MP3: frozenset({8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000}),
}
"""RFC 6716; MPEG-1, 2 and 2.5. libsndfile takes no other."""
_NAMES: Final = {AudioFormat.OPUS: "Opus", AudioFormat.MP3: "MP3"}
_SYSTEM_ERROR: Final = 2
"""libsndfile's, for what the operating system refused."""


def gain_for(measures: Measures, target_lufs: float) -> float:
    """Decibels that bring a take to `target_lufs`, or as near as its loudest sample permits."""
    if measures.loudness_lufs <= FLOOR_LUFS:
        return 0.0
    wanted = target_lufs - measures.loudness_lufs
    return min(wanted, PEAK_CEILING_DBFS - measures.peak_dbfs if wanted > 0 else wanted, MAX_GAIN_DB)


def encode(take: Take, into: Path, form: AudioFormat, *, gain_db: float = 0.0) -> None:
    """Write the take in that form, into a file that appears only when whole.

    Raises:
        BadAudioError: `unreadable`, where the take can't be decoded to its end or its rate has no place in the codec.
        OSError: `into` can't be written.
    """
    _require_place(take, form)
    factor = np.float32(10 ** (gain_db / 20))
    partial = into.with_name(into.name + PARTIAL_SUFFIX)
    try:
        with _opened(partial, take, form) as target:
            for block in blocks(take, BLOCK_FRAMES):
                target.write(np.clip(block.T * factor, -1.0, 1.0))
        partial.replace(into)
    except soundfile.LibsndfileError as error:
        raise OSError(f"{form} could not be written: {error.error_string}") from error
    finally:
        partial.unlink(missing_ok=True)


def _opened(partial: Path, take: Take, form: AudioFormat) -> soundfile.SoundFile:
    codec = CODECS[form]
    try:
        return soundfile.SoundFile(partial, "w", take.sample_rate, take.channels, codec.subtype, format=codec.container)
    except soundfile.LibsndfileError as error:
        if error.code == _SYSTEM_ERROR:
            raise
        shape = f"{take.sample_rate:,} Hz and {take.channels} channel(s)"
        raise BadAudioError(BadAudio.UNREADABLE, f"sound of {shape}, which {form} can't hold") from error


def _require_place(take: Take, form: AudioFormat) -> None:
    if form in _RATES and take.sample_rate not in _RATES[form]:
        known = ", ".join(f"{rate:,}" for rate in sorted(_RATES[form]))
        raise BadAudioError(
            BadAudio.UNREADABLE,
            f"sound of {take.sample_rate:,} Hz, which {_NAMES[form]} can't hold (it knows {known} Hz)",
        )
