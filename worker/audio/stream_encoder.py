"""Encodes speech piece by piece, as it comes, for one delivered form: one channel of 24 kHz.

Importing it costs numpy and libsndfile: import it where audio is encoded, inside the function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import soundfile

from api_models.formats import AudioFormat, DeliveryFormat
from worker.audio.appending import Appending
from worker.audio.encoding import CODECS
from worker.audio.rendering import (
    AAC_BITS_PER_SECOND,
    AAC_FRAME,
    MP3_CONSTANT,
    SAMPLE_RATE,
    Samples,
    integers,
    wav_header,
)

UNKNOWN_FRAMES: Final = (2**32 - 1 - 36) // 2
"""A WAV of unknown length names the largest one, which players take to mean "to the end"."""


class StreamEncoder:
    """`add` and `end` return the bytes that are complete by then."""

    def __init__(self, form: DeliveryFormat) -> None:
        self._sink = _Sink()
        self._write, self._finish = _coder(form, self._sink)

    def add(self, samples: Samples) -> bytes:
        self._write(np.clip(samples, -1.0, 1.0))
        return self._sink.taken()

    def end(self) -> bytes:
        self._finish()
        return self._sink.taken()


class _Sink:
    """A file that keeps what was written since it was last asked."""

    def __init__(self) -> None:
        self._content = bytearray()

    def write(self, content: bytes) -> int:
        self._content += content
        return len(content)

    def taken(self) -> bytes:
        taken = bytes(self._content)
        self._content.clear()
        return taken

    def flush(self) -> None:
        """Nothing is held back."""


Coder = tuple[Callable[[Samples], object], Callable[[], object]]


def _coder(form: DeliveryFormat, sink: _Sink) -> Coder:
    match form:
        case DeliveryFormat.AAC:
            return _aac(sink)
        case DeliveryFormat.WAV | DeliveryFormat.PCM:
            if form is DeliveryFormat.WAV:
                sink.write(wav_header(UNKNOWN_FRAMES))
            return lambda samples: sink.write(integers(samples).astype("<i2").tobytes()), lambda: None
        case _:
            return _sndfile(form, sink)


def _sndfile(form: DeliveryFormat, sink: _Sink) -> Coder:
    codec = CODECS[AudioFormat(form.value)]
    constant = MP3_CONSTANT if form is DeliveryFormat.MP3 else {}
    file = Appending(sink, None)
    target = soundfile.SoundFile(file, "w", SAMPLE_RATE, 1, codec.subtype, format=codec.container, **constant)

    def finish() -> None:
        target.close()
        file.close()

    return target.write, finish


def _aac(sink: _Sink) -> Coder:
    import av  # noqa: PLC0415 - an extra

    container = av.open(sink, "w", format="adts", container_options={"flush_packets": "1"})
    stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", bit_rate=AAC_BITS_PER_SECOND)
    rest, sent = np.zeros(0, np.float32), 0

    def send(samples: Samples) -> None:
        nonlocal sent
        frame: Any = av.AudioFrame.from_ndarray(integers(samples)[np.newaxis], "s16", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, sent
        sent += len(samples)
        container.mux(stream.encode(frame))

    def write(samples: Samples) -> None:
        nonlocal rest
        joined = np.concatenate((rest, samples))
        whole = len(joined) - len(joined) % AAC_FRAME
        for start in range(0, whole, AAC_FRAME):
            send(joined[start : start + AAC_FRAME])
        rest = joined[whole:]

    def finish() -> None:
        if len(rest):
            send(rest)
        container.mux(stream.encode(None))
        container.close()

    return write, finish
