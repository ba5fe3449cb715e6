"""An accepted take in the form that its producer asked for: another container, another loudness. Stores nothing.

A take that stays as it came is not touched, and costs nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from api_models.formats import AudioFormat
from worker.audio.codec_pool import CodecPool
from worker.audio.errors import BadAudioError
from worker.execution.accepting import Accepted, Refused
from worker.execution.judging_mark import marked
from worker.execution.sound import Sound, heard
from worker.execution.spool import converted
from worker.store.transitions.claiming import Claim


@dataclass(frozen=True, slots=True)
class Formed:
    """A file that is ready to be stored."""

    path: Path
    duration_ms: int
    sound: Sound


def stays(claim: Claim) -> bool:
    """Whether the WAV is what was asked for."""
    return claim.audio_format is AudioFormat.WAV and claim.target_lufs is None


def unchanged(accepted: Accepted) -> Formed:
    """The take as it is."""
    return Formed(accepted.take.path, accepted.take.duration_ms, heard(accepted.measures))


def formed(claim: Claim, answer: Path, accepted: Accepted, codecs: CodecPool) -> Formed | Refused:
    """What was asked for, made of the take that came in this answer of the spool.

    Raises:
        OSError: it can't be written; or no codec process can be started.
    """
    take, into = accepted.take, converted(answer)
    try:
        with marked(answer):
            made = codecs.encode(
                take, into, claim.audio_format, target_lufs=claim.target_lufs, measures=accepted.measures
            )
    except BadAudioError as error:
        return Refused(error.message, f"flaw {error.reason}", take.path, final=True)
    return Formed(into, take.duration_ms, _louder(heard(made.measures), made.gain_db))


def _louder(sound: Sound, gain_db: float) -> Sound:
    """How a take sounds after one gain over all of it: what is silent in it is told by its own level, and stays so."""
    if sound.peak_dbfs is None or sound.loudness_lufs is None:
        return sound
    return replace(
        sound, peak_dbfs=round(sound.peak_dbfs + gain_db, 2), loudness_lufs=round(sound.loudness_lufs + gain_db, 2)
    )
