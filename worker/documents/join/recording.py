"""Writes a recording: all takes joined, brought to the preset's loudness, in one file that appears only when whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from api_models.formats import AudioFormat
from worker.audio.decoding import decoded_blocks, measured
from worker.audio.encoding import CODECS, PARTIAL_SUFFIX, constant_bitrate
from worker.audio.resampling import resampled
from worker.documents.containers import id3, opus
from worker.documents.containers.description import Description
from worker.documents.errors import DocumentError
from worker.documents.join import stems
from worker.documents.join.assembly import Assembly, Take, assemble
from worker.documents.join.delivery import Delivery, Levels
from worker.documents.join.levels import levels
from worker.documents.join.mastering import MARGIN_DB, Loudness, Meter, decibels, gain_for, mastered
from worker.documents.join.style import Preset, Style
from worker.documents.plan.plan import Gap

MAX_WAV_BYTES: Final = 2**32 - 2**16
"""RIFF counts in 32 bits; a longer recording is written as RF64 (EBU Tech 3306)."""


MAX_ENCODINGS: Final = 4
"""An encoder changes peaks by a part of a decibel, and a limiter the level: it is corrected by what was measured."""
BLOCK_FRAMES: Final = 65_536
UNFIT_REMEDY: Final = "use takes with less noise, or another preset"
_FORMATS: Final = {f".{form}": form for form in AudioFormat} | {".ogg": AudioFormat.OPUS}
SUFFIXES: Final = tuple(_FORMATS)


@dataclass(frozen=True, slots=True)
class Form:
    """How a recording is encoded."""

    format: AudioFormat
    sample_rate: int | None = None
    """Hz; None for that of the takes."""
    mp3_bitrate: int | None = None
    """kbit/s, constant; None for the encoder's variable default."""


@dataclass(frozen=True, slots=True)
class Recording:
    path: Path
    assembly: Assembly
    loudness: Loudness

    @property
    def seconds(self) -> float:
        return self.assembly.seconds(self.assembly.frames)


Describe = Callable[[Assembly], Description]
"""What a recording says of itself, once the places of its parts are known."""


def record(
    takes: Sequence[tuple[Path, Gap] | Take],
    into: Path,
    style: Style,
    describe: Describe = lambda _: Description(),
    form: Form | None = None,
    *,
    tracks: Path | None = None,
) -> Recording:
    """Join takes into one file, whose suffix names the format. Memory doesn't grow with its length.

    Args:
        takes: Each part's take, and what separates it from the next one.
        into: The file. An existing one is replaced.
        style: Pauses and loudness.
        describe: Titles, chapters and cover. WAV holds none of them, FLAC titles only.
        form: None: as the file's suffix says.
        tracks: A zip archive to write, with one track for each speaker.

    Raises:
        BadAudioError: A take can't be decoded.
        DocumentError: A take is silent, too long or unlike the first one; the suffix names no format.
        OSError: The file can't be written.
    """
    form = required_form(form or _form_of(into), style.preset)
    assembly = assemble(takes, style)
    description = describe(assembly)
    made = _Made(assembly, style.preset, _first_gain(assembly, style.preset))
    if style.preset.delivery is None:
        loudness = _write(made, into, description, form)
    else:
        made, loudness = _delivered(made, style.preset.delivery, into, description, form)
    if tracks is not None:
        stems.write(made.assembly, made.gain, made.preset, form.sample_rate or assembly.rate, tracks)
    return Recording(into, assembly, loudness)


@dataclass(frozen=True, slots=True)
class _Made:
    """What is encoded, and how loud."""

    assembly: Assembly
    preset: Preset
    gain: float


def required_form(form: Form, preset: Preset) -> Form:
    """Return the form that a preset prescribes. Raises DocumentError: it is another format."""
    if preset.delivery is None:
        return form
    if form.format is not AudioFormat.MP3:
        raise DocumentError(f"{preset.name} requires MP3, not {form.format}", "use the format mp3")
    bitrate = max(form.mp3_bitrate or 0, preset.delivery.min_bitrate)
    return Form(form.format, preset.delivery.sample_rate, bitrate)


def _first_gain(assembly: Assembly, preset: Preset) -> float:
    if preset.delivery is not None:
        return preset.delivery.gain_from(levels(assembly.blocks(), assembly.rate))
    return 1.0 if preset.lufs is None else gain_for(preset, _lufs(assembly))


def _delivered(
    made: _Made, delivery: Delivery, into: Path, description: Description, form: Form
) -> tuple[_Made, Loudness]:
    """Encode until the decoded file is within the publisher's limits. Raises DocumentError: it never is."""
    faults: list[str] = []
    for _ in range(MAX_ENCODINGS):
        quiet = delivery.tone_dbfs - decibels(made.gain)
        made = replace(made, assembly=replace(made.assembly, max_tone_dbfs=quiet))
        try:
            return made, _write(made, into, description, form, partial(_check, delivery))
        except _UnfitError as error:
            faults, found = error.faults, error.levels
        excess = max(0.0, found.peak_dbfs - delivery.peak_dbfs)
        preset = replace(made.preset, peak_dbtp=made.preset.peak_dbtp - (excess + MARGIN_DB if excess else 0.0))
        made = replace(made, preset=preset, gain=made.gain * delivery.gain_from(found))
    raise DocumentError(f"the recording is not what {made.preset.name} requires: {', '.join(faults)}", UNFIT_REMEDY)


class _UnfitError(Exception):
    """The encoded file is outside a publisher's limits."""

    def __init__(self, found: Levels, faults: list[str]) -> None:
        super().__init__(*faults)
        self.levels, self.faults = found, faults


def _check(delivery: Delivery, path: Path) -> None:
    rate, _, _ = measured(path)
    found = levels(decoded_blocks(path, BLOCK_FRAMES), rate)
    if faults := list(delivery.faults(found)):
        raise _UnfitError(found, faults)


def _unchecked(_path: Path) -> None:
    """Most presets are met by the samples, whatever the encoder does."""


def _write(
    made: _Made, into: Path, description: Description, form: Form, check: Callable[[Path], None] = _unchecked
) -> Loudness:
    """Encode the recording. The file appears if `check` raises nothing."""
    assembly = made.assembly
    meter = Meter(assembly.channels, assembly.rate, with_peak=True)
    rate = form.sample_rate or assembly.rate
    with _writing(into, assembly, description, form, check) as target:
        whole = meter.passing(mastered(assembly.blocks(), made.gain, made.preset, assembly.rate))
        for block in resampled((np.ascontiguousarray(frames.T) for frames in whole), assembly.rate, rate):
            target.write(np.clip(block.T, -1.0, 1.0))
    return meter.loudness()


def _lufs(assembly: Assembly) -> float:
    meter = Meter(assembly.channels, assembly.rate, with_peak=False)
    for _ in meter.passing(assembly.blocks()):
        pass
    return meter.lufs()


def _form_of(into: Path) -> Form:
    if into.suffix.lower() not in _FORMATS:
        raise DocumentError(f"{into.suffix or into.name!r} is no format for a recording", f"use {', '.join(SUFFIXES)}")
    return Form(_FORMATS[into.suffix.lower()])


@contextmanager
def _writing(
    into: Path, assembly: Assembly, description: Description, form: Form, check: Callable[[Path], None]
) -> Iterator[soundfile.SoundFile]:
    codec, rate = CODECS[form.format], form.sample_rate or assembly.rate
    container = codec.container
    if container == "WAV" and assembly.seconds(assembly.frames) * rate * assembly.channels * 2 > MAX_WAV_BYTES:
        container = "RF64"
    constant = {} if form.mp3_bitrate is None else constant_bitrate(form.mp3_bitrate, rate)
    unfinished = into.with_name(into.name + PARTIAL_SUFFIX)
    try:
        with soundfile.SoundFile(
            unfinished, "w", rate, assembly.channels, codec.subtype, format=container, **constant
        ) as target:
            if codec.container == "FLAC":
                _name(target, description)
            yield target
        _describe(unfinished, description, codec.container)
        check(unfinished)
        unfinished.replace(into)
    except soundfile.LibsndfileError as error:
        raise OSError(f"{into.name} could not be written: {error.error_string}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _name(target: soundfile.SoundFile, description: Description) -> None:
    for field, value in (
        ("title", description.title),
        ("artist", description.author),
        ("album", description.album),
    ):
        if value:  # the library refuses an empty one
            setattr(target, field, value)


def _describe(path: Path, description: Description, container: str) -> None:
    """Write titles, chapters and cover into a finished file, by way of a copy."""
    if not description or container not in ("MP3", "OGG"):
        return
    copy = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        with path.open("rb") as source, copy.open("wb") as target:
            if container == "OGG":
                opus.describe(source, target, description)
            else:
                target.write(id3.header(description))
                shutil.copyfileobj(source, target)
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)
