"""Writes a recording: all takes joined, brought to the preset's loudness, in one file that appears only when whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from api_models.formats import AudioFormat
from worker.audio.encoding import CODECS, PARTIAL_SUFFIX, constant_bitrate
from worker.audio.resampling import resampled
from worker.documents.containers import id3, opus
from worker.documents.containers.description import Description
from worker.documents.errors import DocumentError
from worker.documents.join import stems
from worker.documents.join.assembly import Assembly, Take, assemble
from worker.documents.join.mastering import Loudness, Meter, gain_for, mastered
from worker.documents.join.style import Style
from worker.documents.plan.plan import Gap

MAX_WAV_BYTES: Final = 2**32 - 2**16
"""RIFF counts in 32 bits; a longer recording is written as RF64 (EBU Tech 3306)."""


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
    form = form or _form_of(into)
    assembly = assemble(takes, style)
    gain = 1.0
    if style.preset.lufs is not None:
        gain = gain_for(style.preset, _lufs(assembly))
    meter = Meter(assembly.channels, assembly.rate, with_peak=True)
    rate = form.sample_rate or assembly.rate
    with _writing(into, assembly, describe(assembly), form) as target:
        whole = meter.passing(mastered(assembly.blocks(), gain, style.preset, assembly.rate))
        for block in resampled((np.ascontiguousarray(frames.T) for frames in whole), assembly.rate, rate):
            target.write(np.clip(block.T, -1.0, 1.0))
    if tracks is not None:
        stems.write(assembly, gain, style.preset, rate, tracks)
    return Recording(into, assembly, meter.loudness())


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
def _writing(into: Path, assembly: Assembly, description: Description, form: Form) -> Iterator[soundfile.SoundFile]:
    codec, rate = CODECS[form.format], form.sample_rate or assembly.rate
    container = codec.container
    if container == "WAV" and assembly.seconds(assembly.frames) * rate * assembly.channels * 2 > MAX_WAV_BYTES:
        container = "RF64"
    constant = {} if form.mp3_bitrate is None else constant_bitrate(form.mp3_bitrate, rate)
    partial = into.with_name(into.name + PARTIAL_SUFFIX)
    try:
        with soundfile.SoundFile(
            partial, "w", rate, assembly.channels, codec.subtype, format=container, **constant
        ) as target:
            if codec.container == "FLAC":
                _name(target, description)
            yield target
        _describe(partial, description, codec.container)
        partial.replace(into)
    except soundfile.LibsndfileError as error:
        raise OSError(f"{into.name} could not be written: {error.error_string}") from error
    finally:
        partial.unlink(missing_ok=True)


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
