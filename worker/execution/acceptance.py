"""Whether an answer is the take that was asked for: audio, whole, and good by what can be measured. Stores nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worker.audio.codec.messages import Inspected
from worker.audio.codec.pool import CodecPool
from worker.audio.container import SNIFF_BYTES, Container, sniff
from worker.audio.conversion import as_wav
from worker.audio.errors import BadAudio, BadAudioError
from worker.audio.gate import Flaw, GateLimits, is_cut_off, may_agree, refusal
from worker.audio.measures import Measures
from worker.audio.take import Take, plain_take
from worker.execution.earlier_takes import measured
from worker.execution.judging_mark import marked
from worker.execution.spool import converted

_AUDIBLE: Final = frozenset({BadAudio.CUT_OFF, BadAudio.UNREADABLE, BadAudio.UNSUPPORTED, BadAudio.OUT_OF_RANGE})
"""Files that aren't accepted, and in which there may be something to hear all the same."""
_BY_FORM: Final = frozenset({BadAudio.UNREADABLE, BadAudio.NOT_AUDIO})
"""What can't be read for its container, codec or encoding. Its bytes are kept: another program may know them."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A take as a WAV."""

    take: Take
    measures: Measures | None = None
    """How it sounds; None where takes aren't measured."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that is no take, or not a good one."""

    finding: str
    """For people: what is wrong with it, in numbers."""
    measured: str
    """For the operator: the stable word for it, and all that was measured."""
    path: Path | None = None
    """What there is to listen to; None where there is nothing."""
    container: Container = Container.WAV
    """What `path` is."""
    final: bool = False
    """No other take would be any better: it is what was asked for that can't be made."""
    if_alike: Accepted | None = None
    """What it is after all, if an earlier take of this job was as long."""
    is_by_form: bool = False
    """It is the answer's form that can't be read, which the API gives to every take: two alike are enough."""


def judged(
    path: Path, text: str, limits: GateLimits | None, codecs: CodecPool, *, is_suspect: bool = False
) -> Accepted | Refused:
    """Look at an answer in the spool. Without limits only its container and its frames are looked at.

    `is_suspect`: a worker may have died of it, so that even a plain WAV is only opened in a process of its own.

    Raises:
        OSError: it can't be read, or its WAV not be written; or no codec process can be started.
    """
    try:
        found = _inspected(path, codecs, is_measured=limits is not None, is_suspect=is_suspect)
    except BadAudioError as error:
        container, is_by_form = _container_of(path), error.reason in _BY_FORM
        audible = path if error.reason in _AUDIBLE or is_by_form else None
        is_final = error.reason == BadAudio.UNSUPPORTED
        return Refused(error.message, f"flaw {error.reason}", audible, container, final=is_final, is_by_form=is_by_form)
    take, measures = found.take, found.measures
    if limits is None or measures is None:
        return _unmeasured(path, take)
    found_bad = refusal(measures, text, limits, missing_s=take.missing_frames / take.sample_rate)
    if found_bad is None:
        return Accepted(take, measures)
    in_doubt = found_bad.flaw is Flaw.TOO_SHORT and may_agree(measures, text, limits)
    return Refused(
        found_bad.message,
        measured(found_bad.flaw, measures),
        take.path,
        if_alike=Accepted(take, measures) if in_doubt else None,
    )


def unjudged(path: Path) -> Refused:
    """What is said of an answer that ended workers. Raises OSError."""
    return Refused("audio on which workers ended", "flaw unreadable; not opened again", path, _container_of(path))


def is_plain(path: Path) -> bool:
    """Whether a look at an answer takes no codec process, and no time. Raises OSError."""
    try:
        return plain_take(path) is not None
    except BadAudioError:
        return True


def _inspected(path: Path, codecs: CodecPool, *, is_measured: bool, is_suspect: bool) -> Inspected:
    take = None if is_suspect else plain_take(path)
    if take is None:
        with marked(path):
            return codecs.inspect(path, converted(path), is_measured=is_measured)
    take = as_wav(take, converted(path))
    return Inspected(take, _measured(take) if is_measured else None)


def _unmeasured(path: Path, take: Take) -> Accepted | Refused:
    if is_cut_off(take.duration_ms / 1000, take.missing_frames / take.sample_rate):
        message = "a WAV that ends before the sound its header promises"
        return Refused(message, f"flaw {BadAudio.CUT_OFF}", path)
    return Accepted(take)


def _measured(take: Take) -> Measures:
    # numpy takes long to import, which only a worker with a take at hand need pay.
    from worker.audio.measurement import measure  # noqa: PLC0415  (the reason is the line above)

    return measure(take)


def _container_of(path: Path) -> Container:
    with path.open("rb") as file:
        return sniff(file.read(SNIFF_BYTES))
