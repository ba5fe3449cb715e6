"""A take in the form that its producer asked for, streamed in blocks.

Its weakness: a loudness target is reached by one gain over the whole file, and not at all where the loudest sample
would then be clipped: the gain stops there.

Importing it costs numpy and libsndfile: import it where a take is encoded, inside the function.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import soundfile

from api_models.encodings import NO_TAGS, OPUS_RATES, SAMPLE_RATES, AudioTags, bitrates_at
from api_models.formats import AudioFormat
from worker.audio.errors import BadAudio, BadAudioError
from worker.audio.id3 import retag
from worker.audio.measures import FLOOR_LUFS, Measures
from worker.audio.resampling import resampled
from worker.audio.samples import blocks
from worker.audio.take import Take

BLOCK_FRAMES: Final = 65_536
PEAK_CEILING_DBFS: Final = -1.0
"""No gain lifts the loudest sample above this: lossy codecs overshoot by up to a decibel (EBU R 128)."""
MAX_GAIN_DB: Final = 30.0
"""A take that needs more is noise, and louder noise is no better."""
PARTIAL_SUFFIX: Final = ".part"


class Codec(NamedTuple):
    container: str
    subtype: str


CODECS: Final = {
    AudioFormat.WAV: Codec("WAV", "PCM_16"),
    AudioFormat.FLAC: Codec("FLAC", "PCM_16"),
    AudioFormat.MP3: Codec("MP3", "MPEG_LAYER_III"),
    AudioFormat.OPUS: Codec("OGG", "OPUS"),
}
_RATES: Final = {AudioFormat.OPUS: OPUS_RATES, AudioFormat.MP3: frozenset(SAMPLE_RATES)}
"""libsndfile takes no other."""
_HIGHEST_COMPRESSION: Final = 0.999
"""libsndfile maps 0 to the highest bitrate of a sample rate and 1, which it refuses, to the lowest."""
_NAMES: Final = {AudioFormat.OPUS: "Opus", AudioFormat.MP3: "MP3"}
_SYSTEM_ERROR: Final = 2
"""libsndfile's, for what the operating system refused."""


def gain_for(measures: Measures, target_lufs: float) -> float:
    """Decibels that bring a take to `target_lufs`, or as near as its loudest sample permits."""
    if measures.loudness_lufs <= FLOOR_LUFS:
        return 0.0
    wanted = target_lufs - measures.loudness_lufs
    return min(wanted, PEAK_CEILING_DBFS - measures.peak_dbfs if wanted > 0 else wanted, MAX_GAIN_DB)


def encode(
    take: Take,
    into: Path,
    form: AudioFormat,
    *,
    gain_db: float = 0.0,
    sample_rate: int | None = None,
    mp3_bitrate: int | None = None,
    tags: AudioTags = NO_TAGS,
) -> None:
    """Write the take in that form, into a file that appears only when whole.

    `sample_rate` is in Hz, `mp3_bitrate` in kbit/s; None keeps the take's rate and the codec's own quality. Only MP3
    holds tags. Raises BadAudioError: `unreadable`, where the take can't be decoded to its end or its rate has no place
    in the codec; OSError: `into` can't be written.
    """
    rate = sample_rate or take.sample_rate
    _require_place(rate, form)
    factor = np.float32(10 ** (gain_db / 20))
    partial = into.with_name(into.name + PARTIAL_SUFFIX)
    try:
        with _opened(partial, take, form, rate, mp3_bitrate) as target:
            for block in resampled(blocks(take, BLOCK_FRAMES), take.sample_rate, rate):
                target.write(np.clip(block.T * factor, -1.0, 1.0))
        if form is AudioFormat.MP3 and tags != NO_TAGS:
            retag(partial, partial, tags)
        partial.replace(into)
    except soundfile.LibsndfileError as error:
        raise OSError(f"{form} could not be written: {error.error_string}") from error
    finally:
        partial.unlink(missing_ok=True)


def _opened(partial: Path, take: Take, form: AudioFormat, rate: int, mp3_bitrate: int | None) -> soundfile.SoundFile:
    codec = CODECS[form]
    constant = {} if mp3_bitrate is None else constant_bitrate(mp3_bitrate, rate)
    try:
        return soundfile.SoundFile(partial, "w", rate, take.channels, codec.subtype, format=codec.container, **constant)
    except soundfile.LibsndfileError as error:
        if error.code == _SYSTEM_ERROR:
            raise
        shape = f"{rate:,} Hz and {take.channels} channel(s)"
        raise BadAudioError(BadAudio.UNREADABLE, f"sound of {shape}, which {form} can't hold") from error


def constant_bitrate(mp3_bitrate: int, rate: int) -> dict[str, Any]:
    """Arguments for the bitrate of this sample rate that is nearest to the requested one."""
    known = bitrates_at(rate)
    nearest = min(known, key=lambda one: abs(one - mp3_bitrate))
    level = (known[-1] - nearest) / (known[-1] - known[0])
    return {
        "bitrate_mode": "CONSTANT",
        "compression_level": min(_HIGHEST_COMPRESSION, level),
    }


def _require_place(sample_rate: int, form: AudioFormat) -> None:
    if form in _RATES and sample_rate not in _RATES[form]:
        known = ", ".join(f"{rate:,}" for rate in sorted(_RATES[form]))
        raise BadAudioError(
            BadAudio.UNREADABLE,
            f"sound of {sample_rate:,} Hz, which {_NAMES[form]} can't hold (it knows {known} Hz)",
        )
