"""Encoding: every form holds the same sound at the same rate, at the loudness asked for, and only when whole."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from api_models.formats import AudioFormat
from worker.audio.container import Container
from worker.audio.encoding import PEAK_CEILING_DBFS, encode, gain_for
from worker.audio.errors import BadAudioError
from worker.audio.measurement import measure
from worker.audio.measures import FLOOR_LUFS, Measures
from worker.audio.take import Take, accept

RATE = 24_000
SECONDS = 3.0


def a_take(folder: Path, *, rate: int = RATE, amplitude: float = 0.2) -> Take:
    """Three seconds of a wavering tone."""
    time = np.arange(int(rate * SECONDS)) / rate
    wave = amplitude * np.sin(2 * np.pi * 300 * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    path = folder / "take.wav"
    soundfile.write(path, wave, rate, subtype="PCM_16")
    return accept(path)


def measured(**changes: float) -> Measures:
    """Measures of an ordinary take."""
    plain = {
        "duration_s": 3.0,
        "peak_dbfs": -12.0,
        "loudness_lufs": -24.0,
        "silence_share": 0.1,
        "longest_silence_s": 0.1,
        "tail_silence_s": 0.1,
    }
    return Measures(**{**plain, **changes})


@pytest.mark.parametrize("form", AudioFormat)
def test_every_form_is_what_it_says_and_as_long_as_the_take(tmp_path: Path, form: AudioFormat) -> None:
    """Container, rate and length can be read back; lossy codecs may pad by less than a tenth of a second."""
    into = tmp_path / f"audio.{form.extension}"
    encode(a_take(tmp_path), into, form)
    again = accept(into)
    assert again.sample_rate == RATE
    assert abs(again.duration_ms / 1_000 - SECONDS) < 0.1
    assert again.container.content_type == form.content_type
    assert [path.name for path in tmp_path.glob("*.part")] == []


@pytest.mark.parametrize("form", [AudioFormat.WAV, AudioFormat.FLAC])
def test_lossless_forms_hold_the_very_samples(tmp_path: Path, form: AudioFormat) -> None:
    """Sample for sample."""
    take, into = a_take(tmp_path), tmp_path / f"audio.{form.extension}"
    encode(take, into, form)
    assert np.array_equal(soundfile.read(take.path, dtype="int16")[0], soundfile.read(into, dtype="int16")[0])


@pytest.mark.parametrize("form", AudioFormat)
def test_a_gain_brings_the_file_to_the_loudness_asked_for(tmp_path: Path, form: AudioFormat) -> None:
    """Within half a decibel, measured in the file that was written; LAME takes up to one more off a plain tone."""
    take, into = a_take(tmp_path), tmp_path / f"audio.{form.extension}"
    encode(take, into, form, gain_db=gain_for(measure(take), -20.0))
    assert measure(accept(into)).loudness_lufs == pytest.approx(-20.0, abs=1.2 if form is AudioFormat.MP3 else 0.5)


def test_a_gain_stops_before_the_loudest_sample_clips() -> None:
    """A take with a peak of −3 dBFS is lifted by two decibels, however quiet it is on average."""
    assert gain_for(measured(peak_dbfs=-3.0, loudness_lufs=-30.0), -16.0) == pytest.approx(PEAK_CEILING_DBFS + 3.0)


def test_a_loud_take_is_turned_down_by_all_that_is_asked() -> None:
    """No peak stands in the way of less."""
    assert gain_for(measured(peak_dbfs=-0.1, loudness_lufs=-10.0), -16.0) == pytest.approx(-6.0)


def test_silence_is_left_alone() -> None:
    """It is silent, and no gain changes that."""
    assert gain_for(measured(loudness_lufs=FLOOR_LUFS), -16.0) == 0.0


def test_a_rate_that_opus_does_not_know_is_refused_with_those_it_knows(tmp_path: Path) -> None:
    """Nothing is resampled, and no file is left."""
    take = a_take(tmp_path, rate=22_050)
    with pytest.raises(BadAudioError, match=r"22,050 Hz, which Opus can't hold \(it knows 8,000"):
        encode(take, tmp_path / "audio.opus", AudioFormat.OPUS)
    assert list(tmp_path.glob("audio*")) == []


def test_headerless_samples_are_encoded_as_they_are(tmp_path: Path) -> None:
    """24 kHz, 16 bit, mono: what the API sends without a container."""
    path = tmp_path / "take.bin"
    tone = (8_000 * np.sin(np.arange(RATE) / 10)).astype("<i2")
    path.write_bytes(tone.tobytes())
    encode(Take(path, Container.PCM, RATE, 1, len(tone)), tmp_path / "audio.flac", AudioFormat.FLAC)
    assert np.array_equal(soundfile.read(tmp_path / "audio.flac", dtype="int16")[0], tone)
    assert math.isclose(soundfile.info(tmp_path / "audio.flac").samplerate, RATE)
