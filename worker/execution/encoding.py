"""Encodes an accepted take into the requested format, loudness and sample rate. Stores nothing.

A take that needs neither isn't touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from api_models.formats import AudioFormat
from worker.audio.codec.messages import EncodeRequest
from worker.audio.codec.pool import CodecPool
from worker.audio.errors import BadAudioError
from worker.audio.measures import Measures
from worker.audio.take import Take
from worker.execution.acceptance import Accepted, Refused
from worker.execution.judging_mark import marked
from worker.execution.spool import converted
from worker.store.transitions.claims import Claim

PEAK: Final = "ttsq-peak-dbfs"
LOUDNESS: Final = "ttsq-loudness-lufs"
SILENCE: Final = "ttsq-silence-share"


@dataclass(frozen=True, slots=True)
class Sound:
    """Peak in dBFS, loudness in LUFS, and silence as a share of the duration."""

    peak_dbfs: float | None = None
    loudness_lufs: float | None = None
    silence_share: float | None = None

    def metadata(self) -> dict[str, str]:
        """Object metadata; unknown values are left out."""
        named = {PEAK: self.peak_dbfs, LOUDNESS: self.loudness_lufs, SILENCE: self.silence_share}
        return {name: str(value) for name, value in named.items() if value is not None}


UNKNOWN: Final = Sound()


def sound_of(measures: Measures | None) -> Sound:
    """Rounded to audible precision."""
    if measures is None:
        return UNKNOWN
    return Sound(round(measures.peak_dbfs, 2), round(measures.loudness_lufs, 2), round(measures.silence_share, 4))


def sound_from_metadata(metadata: Mapping[str, str]) -> Sound:
    return Sound(*(_value(metadata.get(name)) for name in (PEAK, LOUDNESS, SILENCE)))


def _value(text: str | None) -> float | None:
    with suppress(ValueError):
        return float(text) if text else None
    return None


@dataclass(frozen=True, slots=True)
class EncodedTake:
    path: Path
    duration_ms: int
    sound: Sound


def is_unchanged(claim: Claim) -> bool:
    return claim.audio_format is AudioFormat.WAV and claim.target_lufs is None and claim.sample_rate is None


def unchanged(accepted: Accepted) -> EncodedTake:
    return EncodedTake(accepted.take.path, accepted.take.duration_ms, sound_of(accepted.measures))


def encode_take(claim: Claim, answer: Path, accepted: Accepted, codecs: CodecPool) -> EncodedTake | Refused:
    """Encode the take into the requested form. Raises OSError: the file can't be written, or no codec process can be
    started.
    """
    take, into = accepted.take, converted(answer)
    try:
        with marked(answer):
            made = codecs.encode(_request(claim, take, into, accepted.measures))
    except BadAudioError as error:
        return Refused(error.message, f"flaw {error.reason}", take.path, final=True)
    return EncodedTake(into, take.duration_ms, _louder(sound_of(made.measures), made.gain_db))


def _request(claim: Claim, take: Take, into: Path, measures: Measures | None) -> EncodeRequest:
    return EncodeRequest(
        take,
        into,
        claim.audio_format,
        target_lufs=claim.target_lufs,
        measures=measures,
        sample_rate=claim.sample_rate,
        mp3_bitrate=claim.mp3_bitrate,
        tags=claim.audio_tags,
    )


def _louder(sound: Sound, gain_db: float) -> Sound:
    """Apply one gain. The silent share stays: silence is measured relative to the take's own level."""
    if sound.peak_dbfs is None or sound.loudness_lufs is None:
        return sound
    return replace(
        sound, peak_dbfs=round(sound.peak_dbfs + gain_db, 2), loudness_lufs=round(sound.loudness_lufs + gain_db, 2)
    )
