"""What is done to foreign audio: looked at, decoded, measured, encoded. Runs in a process of its own, see `codec_pool`.

Importing it costs numpy and libsndfile.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from worker.audio.codec.messages import Encoded, EncodeRequest, Inspected, InspectRequest, Rendered, RenderRequest
from worker.audio.container import Container
from worker.audio.conversion import PARTIAL_SUFFIX, as_wav
from worker.audio.decoding import decode, holds_floats
from worker.audio.encoding import encode, gain_for
from worker.audio.measurement import measure
from worker.audio.rendering import render
from worker.audio.riff import FLOAT_TAG, read_header
from worker.audio.take import Take, accept


def inspect(request: InspectRequest) -> Inspected:
    """The answer as a WAV of samples within full scale, and how it sounds. Raises BadAudioError: it is no take;
    OSError: it can't be read, or its WAV not be written.
    """
    found = accept(request.path, is_whole=True)
    take = as_wav(found, request.into)
    measures = measure(take) if request.is_measured or _may_exceed(take) else None
    if measures is not None and measures.peak_dbfs > 0 and _may_exceed(take):
        take = _clipped(take, request.into)
        measures = measure(take)
    return Inspected(take, measures)


def encoded(request: EncodeRequest) -> Encoded:
    """Write the take in the form asked for; the gain that was applied, and how the take sounded before. Raises
    BadAudioError: see `encode`; OSError: it can't be written.
    """
    measures, gain_db = request.measures, 0.0
    if request.target_lufs is not None:
        measures = measures or measure(request.take)
        gain_db = gain_for(measures, request.target_lufs)
    encode(
        request.take,
        request.into,
        request.form,
        gain_db=gain_db,
        sample_rate=request.sample_rate,
        mp3_bitrate=request.mp3_bitrate,
        tags=request.tags,
    )
    return Encoded(gain_db, measures)


def rendered(request: RenderRequest) -> Rendered:
    """Write the audio in the form and at the speed asked for. Raises as `encoded`."""
    return Rendered(render(accept(request.path, is_whole=True), request.into, request.form, speed=request.speed))


def _may_exceed(take: Take) -> bool:
    """Whether samples are floats, which have no highest value."""
    header = read_header(take.path) if take.container is Container.WAV else None
    return holds_floats(take.path) if header is None else header.tag == FLOAT_TAG


def _clipped(take: Take, into: Path) -> Take:
    """16-bit samples in the place of floats; where `into` is the take itself, it is replaced."""
    partial = into.with_name(into.name + PARTIAL_SUFFIX)
    try:
        frames = decode(take.path, partial)
        partial.replace(into)
    finally:
        partial.unlink(missing_ok=True)
    return replace(take, path=into, container=Container.WAV, frames=frames)
