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
MOST_GAIN_DB: Final = 30.0
"""A take that needs more is noise, and louder noise is no better."""
PARTIAL_SUFFIX: Final = ".part"


class _Codec(NamedTuple):
    """What libsndfile calls it."""

    container: str
    subtype: str


_CODECS: Final = {
    AudioFormat.WAV: _Codec("WAV", "PCM_16"),
    AudioFormat.FLAC: _Codec("FLAC", "PCM_16"),
    AudioFormat.MP3: _Codec("MP3", "MPEG_LAYER_III"),
    AudioFormat.OPUS: _Codec("OGG", "OPUS"),
}
_OPUS_RATES: Final = frozenset({8_000, 12_000, 16_000, 24_000, 48_000})
"""RFC 6716; libsndfile takes no other."""


def gain_for(measures: Measures, target_lufs: float) -> float:
    """Decibels that bring a take to `target_lufs`, or as near as its loudest sample permits."""
    if measures.loudness_lufs <= FLOOR_LUFS:
        return 0.0
    wanted = target_lufs - measures.loudness_lufs
    return min(wanted, PEAK_CEILING_DBFS - measures.peak_dbfs if wanted > 0 else wanted, MOST_GAIN_DB)


def encode(take: Take, into: Path, form: AudioFormat, *, gain_db: float = 0.0) -> None:
    """Write the take in that form, into a file that appears only when whole.

    Raises:
        BadAudioError: `unreadable`, where the take can't be decoded to its end or its rate has no place in the codec.
        OSError: `into` can't be written.
    """
    _require_rate(take, form)
    codec, factor = _CODECS[form], np.float32(10 ** (gain_db / 20))
    partial = into.with_name(into.name + PARTIAL_SUFFIX)
    try:
        with soundfile.SoundFile(
            partial, "w", take.sample_rate, take.channels, codec.subtype, format=codec.container
        ) as target:
            for block in blocks(take, BLOCK_FRAMES):
                target.write(block.T if gain_db == 0 else np.clip(block.T * factor, -1.0, 1.0))
        partial.replace(into)
    except soundfile.LibsndfileError as error:
        raise OSError(f"{form} could not be written: {error.error_string}") from error
    finally:
        partial.unlink(missing_ok=True)


def _require_rate(take: Take, form: AudioFormat) -> None:
    if form is AudioFormat.OPUS and take.sample_rate not in _OPUS_RATES:
        known = ", ".join(f"{rate:,}" for rate in sorted(_OPUS_RATES))
        raise BadAudioError(
            BadAudio.UNREADABLE, f"sound of {take.sample_rate:,} Hz, which Opus can't hold (it knows {known} Hz)"
        )
