"""An accepted take in the form that its producer asked for: another container, another loudness. Stores nothing.

A take that stays as it came is not touched, and costs nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from api_models.formats import AudioFormat
from worker.audio.errors import BadAudioError
from worker.audio.measures import Measures
from worker.audio.take import Take
from worker.execution.accepting import Accepted, Refused
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


def formed(claim: Claim, answer: Path, accepted: Accepted) -> Formed | Refused:
    """What was asked for, made of the take that came in this answer of the spool.

    Raises:
        OSError: it can't be written.
    """
    # numpy and libsndfile take long to import, which a worker that only hands on WAV need not pay.
    from worker.audio.encoding import encode, gain_for  # noqa: PLC0415  (the reason is the line above)

    take, sound = accepted.take, heard(accepted.measures)
    into, gain_db = converted(answer), 0.0
    try:
        if claim.target_lufs is not None:
            measures = accepted.measures or _measured(take)
            gain_db = gain_for(measures, claim.target_lufs)
            sound = _louder(heard(measures), gain_db)
        encode(take, into, claim.audio_format, gain_db=gain_db)
    except BadAudioError as error:
        return Refused(error.message, f"flaw {error.reason}", take.path, final=True)
    return Formed(into, take.duration_ms, sound)


def _measured(take: Take) -> Measures:
    from worker.audio.measuring import measure  # noqa: PLC0415  (as above)

    return measure(take)


def _louder(sound: Sound, gain_db: float) -> Sound:
    """How a take sounds after one gain over all of it: what is silent in it is told by its own level, and stays so."""
    if sound.peak_dbfs is None or sound.loudness_lufs is None:
        return sound
    return replace(
        sound, peak_dbfs=round(sound.peak_dbfs + gain_db, 2), loudness_lufs=round(sound.loudness_lufs + gain_db, 2)
    )
