"""Stored audio in the form that a client of OpenAI's API asked for: one channel of 24 kHz, at a speed of choice.

Holds the whole audio in memory, because stretching it needs both its ends: about 0.5 MB a second of speech.

Importing it costs numpy and libsndfile: import it where audio is rendered, inside the function.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from api_models.formats import AudioFormat, DeliveryFormat
from worker.audio.encoding import BLOCK_FRAMES, CODECS, PARTIAL_SUFFIX
from worker.audio.resampling import resampled_samples
from worker.audio.samples import blocks
from worker.audio.take import Take

SAMPLE_RATE: Final = 24_000
"""Hertz, of every delivered form; OpenAI's own rate."""
AAC_BITS_PER_SECOND: Final = 64_000
AAC_FRAME: Final = 1_024
"""Samples of one AAC frame."""

Samples = npt.NDArray[np.float32]


def render(take: Take, into: Path, form: DeliveryFormat, *, speed: float) -> int:
    """Write the take into a file that appears only when whole; return its number of frames. Raises BadAudioError:
    `unreadable`, where the take can't be decoded to its end; OSError: `into` can't be written.
    """
    samples = stretched(resampled_samples(_one_channel(take), take.sample_rate, SAMPLE_RATE), speed)
    partial = into.with_name(into.name + PARTIAL_SUFFIX)
    try:
        _write(np.clip(samples, -1.0, 1.0), partial, form)
        partial.replace(into)
    except soundfile.LibsndfileError as error:
        raise OSError(f"{form} could not be written: {error.error_string}") from error
    finally:
        partial.unlink(missing_ok=True)
    return len(samples)


def stretched(samples: Samples, speed: float) -> Samples:
    """The samples at another speed and the same pitch; `speed` 2 halves the duration."""
    if speed == 1 or not samples.size:
        return samples
    from python_stretch import Signalsmith  # noqa: PLC0415 - most requests keep the speed

    stretch = Signalsmith.Stretch()
    stretch.preset(1, SAMPLE_RATE)
    stretch.setTimeFactor(speed)
    return np.array(stretch.process(samples[np.newaxis, :]), np.float32).reshape(-1)


def _one_channel(take: Take) -> Samples:
    mixed = [block.mean(axis=0, dtype=np.float32) for block in blocks(take, BLOCK_FRAMES)]
    return np.concatenate(mixed) if mixed else np.zeros(0, np.float32)


def _write(samples: Samples, into: Path, form: DeliveryFormat) -> None:
    match form:
        case DeliveryFormat.PCM:
            into.write_bytes(_integers(samples).astype("<i2").tobytes())
        case DeliveryFormat.AAC:
            _write_aac(_integers(samples), into)
        case _:
            codec = CODECS[AudioFormat(form.value)]
            with soundfile.SoundFile(into, "w", SAMPLE_RATE, 1, codec.subtype, format=codec.container) as target:
                target.write(samples)


def _integers(samples: Samples) -> npt.NDArray[np.int16]:
    rounded: npt.NDArray[np.int16] = np.rint(samples * np.float32(32_767)).astype(np.int16)
    return rounded


def _write_aac(samples: npt.NDArray[np.int16], into: Path) -> None:
    import av  # noqa: PLC0415 - an extra

    with av.open(str(into), "w", format="adts") as container:
        stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", bit_rate=AAC_BITS_PER_SECOND)
        for start in range(0, len(samples), AAC_FRAME):
            frame = av.AudioFrame.from_ndarray(samples[np.newaxis, start : start + AAC_FRAME], "s16", "mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
