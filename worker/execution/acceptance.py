"""Decides whether an answer is a good take: complete audio that passes the measurements. Stores nothing."""

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
"""Reasons for refusing a file that may still contain sound."""
_BY_FORM: Final = frozenset({BadAudio.UNREADABLE, BadAudio.NOT_AUDIO})
"""Unreadable container, codec or encoding. The file is kept: another program may read it."""


@dataclass(frozen=True, slots=True)
class Accepted:
    take: Take
    measures: Measures | None = None
    """None if takes aren't measured."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer without a good take."""

    finding: str
    """The defect, with numbers, for users."""
    measured: str
    """The stable flaw code and all measurements, for operators."""
    path: Path | None = None
    """The file to keep for listening; None without audible content."""
    container: Container = Container.WAV
    """The format of `path`."""
    final: bool = False
    """No other take would be better: the requested audio can't be produced."""
    if_alike: Accepted | None = None
    """The take to accept if an earlier take of this job had the same length."""
    is_by_form: bool = False
    """The file format is unreadable, which the API returns for every take: two of a kind suffice."""
    code: str | None = None
    """The job's error code, if not that of bad audio."""


def judged(
    path: Path, text: str, limits: GateLimits | None, codecs: CodecPool, *, is_suspect: bool = False
) -> Accepted | Refused:
    """Judge a spooled answer. Without `limits` only its container and frames are checked.

    `is_suspect`: a worker may have crashed on it, so even a plain WAV is opened in a codec process. Raises OSError: the
    file can't be read, its WAV can't be written, or no codec process can be started.
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
    """The refusal of an answer that crashed workers. Raises OSError."""
    return Refused("audio that crashed workers", "flaw unreadable; not opened again", path, _container_of(path))


def is_plain(path: Path) -> bool:
    """Whether the answer can be judged quickly and without a codec process. Raises OSError."""
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
    # numpy is slow to import; only workers that measure takes need it.
    from worker.audio.measurement import measure  # noqa: PLC0415

    return measure(take)


def _container_of(path: Path) -> Container:
    with path.open("rb") as file:
        return sniff(file.read(SNIFF_BYTES))
