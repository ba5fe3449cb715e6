"""Stored audio in the form that a client of OpenAI's API asked for: one channel of 24 kHz, at a speed of choice.

Written piece by piece and never changed behind, so that the beginning can be sent while the rest is encoded: the same
audio is the same bytes, whenever it is sent. At another speed the whole audio is held in memory, because stretching it
needs both its ends: about 0.5 MB a second of speech. Weakness: an MP3 names no length; its bitrate is constant, so that
players compute it.

Importing it costs numpy and libsndfile: import it where audio is rendered, inside the function.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
import soundfile

from api_models.formats import AudioFormat, DeliveryFormat
from worker.audio.appending import Appending
from worker.audio.encoding import CODECS
from worker.audio.resampling import resampled
from worker.audio.samples import blocks
from worker.audio.take import Take

SAMPLE_RATE: Final = 24_000
"""Hertz, of every delivered form; OpenAI's own rate."""
AAC_BITS_PER_SECOND: Final = 64_000
AAC_FRAME: Final = 1_024
"""Samples of one AAC frame."""
PIECE_FRAMES: Final = 24 * AAC_FRAME
"""About a second: the first one is encoded in a few milliseconds."""

MP3_CONSTANT: Final[dict[str, Any]] = {"bitrate_mode": "CONSTANT", "compression_level": 0.6}
"""64 kbit/s at this sample rate."""
WAV_HEADER_BYTES: Final = 44
SAMPLE_BYTES: Final = 2

Samples = npt.NDArray[np.float32]


def render(take: Take, into: Path, form: DeliveryFormat, *, speed: float) -> int:
    """Write the take into a file that grows; return its number of frames. Raises BadAudioError: `unreadable`, where the
    take can't be decoded to its end; OSError: `into` can't be written.
    """
    length = take.frames if speed == 1 and take.sample_rate == SAMPLE_RATE else None
    pieces = _Counted(_pieces(take, speed))
    try:
        _write(pieces, into, form, length)
    except soundfile.LibsndfileError as error:
        raise OSError(f"{form} could not be written: {error.error_string}") from error
    return pieces.frames


class _Counted:
    """Samples within full scale, and how many there have been."""

    def __init__(self, pieces: Iterable[Samples]) -> None:
        self._pieces = pieces
        self.frames = 0

    def __iter__(self) -> Iterator[Samples]:
        for piece in self._pieces:
            self.frames += len(piece)
            yield np.clip(piece, -1.0, 1.0)


def _pieces(take: Take, speed: float) -> Iterator[Samples]:
    mixed = (block.mean(axis=0, keepdims=True, dtype=np.float32) for block in blocks(take, PIECE_FRAMES))
    made = (block[0] for block in resampled(mixed, take.sample_rate, SAMPLE_RATE))
    if speed == 1:
        yield from made
        return
    whole = stretched(_joined(made), speed)
    for start in range(0, len(whole), PIECE_FRAMES):
        yield whole[start : start + PIECE_FRAMES]


def _joined(pieces: Iterable[Samples]) -> Samples:
    all_pieces = list(pieces)
    return np.concatenate(all_pieces) if all_pieces else np.zeros(0, np.float32)


def stretched(samples: Samples, speed: float) -> Samples:
    """The samples at another speed and the same pitch; `speed` 2 halves the duration."""
    if speed == 1 or not samples.size:
        return samples
    from python_stretch import Signalsmith  # noqa: PLC0415 - most requests keep the speed

    stretch = Signalsmith.Stretch()
    stretch.preset(1, SAMPLE_RATE)
    stretch.setTimeFactor(speed)
    return np.array(stretch.process(samples[np.newaxis, :]), np.float32).reshape(-1)


def _write(pieces: Iterable[Samples], into: Path, form: DeliveryFormat, length: int | None) -> None:
    """`length` is the number of frames, if it is known before they are made."""
    match form:
        case DeliveryFormat.PCM:
            with into.open("wb", buffering=0) as file:
                _write_integers(pieces, file)
        case DeliveryFormat.WAV:
            _write_wav(pieces, into, length)
        case DeliveryFormat.AAC:
            _write_aac(pieces, into)
        case _:
            with into.open("wb", buffering=0) as file:
                _write_encoded(pieces, Appending(file, length), form)


def _write_encoded(pieces: Iterable[Samples], file: Appending, form: DeliveryFormat) -> None:
    codec = CODECS[AudioFormat(form.value)]
    constant = MP3_CONSTANT if form is DeliveryFormat.MP3 else {}
    with soundfile.SoundFile(file, "w", SAMPLE_RATE, 1, codec.subtype, format=codec.container, **constant) as target:
        for piece in pieces:
            target.write(piece)
    file.close()


def _write_integers(pieces: Iterable[Samples], file: BinaryIO) -> None:
    file.writelines(integers(piece).astype("<i2").tobytes() for piece in pieces)


def _write_wav(pieces: Iterable[Samples], into: Path, length: int | None) -> None:
    """A header with the true length, which is sent first and never changed."""
    if length is None:
        whole = _joined(pieces)
        pieces, length = [whole], len(whole)
    with into.open("wb", buffering=0) as file:
        file.write(wav_header(length))
        _write_integers(pieces, file)


def wav_header(frames: int) -> bytes:
    size = frames * SAMPLE_BYTES
    riff = struct.pack("<4sI4s", b"RIFF", WAV_HEADER_BYTES - 8 + size, b"WAVE")
    shape = struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE, SAMPLE_RATE * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    return riff + struct.pack("<4sI", b"fmt ", len(shape)) + shape + struct.pack("<4sI", b"data", size)


def integers(samples: Samples) -> npt.NDArray[np.int16]:
    rounded: npt.NDArray[np.int16] = np.rint(samples * np.float32(32_767)).astype(np.int16)
    return rounded


def _write_aac(pieces: Iterable[Samples], into: Path) -> None:
    import av  # noqa: PLC0415 - an extra

    with av.open(str(into), "w", format="adts", container_options={"flush_packets": "1"}) as container:
        stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", bit_rate=AAC_BITS_PER_SECOND)
        for start, samples in enumerate(_frames(pieces)):
            frame = av.AudioFrame.from_ndarray(integers(samples)[np.newaxis], "s16", "mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start * AAC_FRAME
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frames(pieces: Iterable[Samples]) -> Iterator[Samples]:
    """Pieces of one AAC frame each; the last may be shorter."""
    rest = np.zeros(0, np.float32)
    for piece in pieces:
        rest = np.concatenate((rest, piece))
        whole = len(rest) - len(rest) % AAC_FRAME
        yield from (rest[start : start + AAC_FRAME] for start in range(0, whole, AAC_FRAME))
        rest = rest[whole:]
    if len(rest):
        yield rest
