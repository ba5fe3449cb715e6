"""Writes one track for each speaker, all from the beginning to the end of the recording; together they are it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from worker.audio.encoding import PARTIAL_SUFFIX
from worker.audio.resampling import resampled
from worker.documents.join.assembly import Assembly
from worker.documents.join.clips import Samples
from worker.documents.join.mastering import mastered_layers
from worker.documents.join.style import Preset

BLOCK_SECONDS: Final = 1.0
"""Of all tracks, in memory at a time."""
NAMELESS: Final = "speech"
_UNSAFE: Final = re.compile(r"[^\w .-]+")
_MAX_NAME: Final = 60
_READ_FRAMES: Final = 65_536


def names(speakers: Sequence[str]) -> list[str]:
    """Return the file name of each track, such as `01 Anna.flac`."""
    digits = len(str(len(speakers)))
    digits = max(2, digits)
    safe = (" ".join(_UNSAFE.sub(" ", speaker).split())[:_MAX_NAME].strip(" .") or NAMELESS for speaker in speakers)
    return [f"{number:0{digits}} {name}.flac" for number, name in enumerate(safe, 1)]


def write(assembly: Assembly, gain: float, preset: Preset, rate: int, into: Path) -> None:
    """Write a zip archive of FLAC files, of 24 bits at `rate` hertz. Raises BadAudioError, OSError."""
    tracks = [into.with_name(f"{into.name}-track{index}") for index in range(len(assembly.speakers))]
    partial = into.with_name(into.name + PARTIAL_SUFFIX)
    try:
        _write_tracks(assembly, gain, preset, tracks)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for track, name in zip(tracks, names(assembly.speakers), strict=True):
                if rate != assembly.rate:
                    _resample(track, assembly, rate)
                archive.write(track, name)
                track.unlink()
        partial.replace(into)
    except soundfile.LibsndfileError as error:
        raise OSError(f"{into.name} could not be written: {error.error_string}") from error
    finally:
        for path in (*tracks, partial):
            path.unlink(missing_ok=True)


def _track(path: Path, rate: int, channels: int) -> soundfile.SoundFile:
    return soundfile.SoundFile(path, "w", rate, channels, "PCM_24", format="FLAC")


def _write_tracks(assembly: Assembly, gain: float, preset: Preset, paths: Sequence[Path]) -> None:
    with ExitStack() as stack:
        tracks = [stack.enter_context(_track(path, assembly.rate, assembly.channels)) for path in paths]
        for block in mastered_layers(_stacked(assembly), gain, preset, assembly.rate):
            for track, samples in zip(tracks, block, strict=True):
                track.write(np.clip(samples, -1.0, 1.0))


def _stacked(assembly: Assembly) -> Iterator[Samples]:
    """Yield blocks of speakers by frames by channels."""
    size = round(BLOCK_SECONDS * assembly.rate)
    for layers in assembly.layers():
        length = max(map(len, layers.values()))
        for start in range(0, length, size):
            block = np.zeros((len(assembly.speakers), min(size, length - start), assembly.channels), np.float32)
            for index, speaker in enumerate(assembly.speakers):
                if speaker in layers:
                    block[index] = layers[speaker][start : start + size]
            yield block


def _resample(path: Path, assembly: Assembly, rate: int) -> None:
    other = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        with soundfile.SoundFile(path) as source, _track(other, rate, assembly.channels) as target:
            blocks = (block.T for block in source.blocks(_READ_FRAMES, dtype="float32", always_2d=True))
            for block in resampled(map(np.ascontiguousarray, blocks), assembly.rate, rate):
                target.write(np.clip(block.T, -1.0, 1.0))
        other.replace(path)
    finally:
        other.unlink(missing_ok=True)
