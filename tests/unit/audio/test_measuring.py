"""Measuring: the figures are those of the sound, whatever the container, and cost a bounded amount of memory."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from worker.audio.errors import BadAudioError
from worker.audio.loudness import HIGH_PASS, OFFSET_DB, SHELF, integrated, weighted_powers
from worker.audio.measurement import measure
from worker.audio.measures import FLOOR_DBFS, FLOOR_LUFS, Measures
from worker.audio.riff import new_head
from worker.audio.take import accept
from worker.emulator.voice.synthesis import Utterance, speak

Sound = npt.NDArray[np.float64]

PROSE = "The harbour was quiet at dawn, and the boats, still tied up, rocked a little. Who would sail out first?"


def tone(seconds: float, *, rate: int = 24_000, hertz: float = 997.0, amplitude: float = 0.5) -> Sound:
    """A sine."""
    wave: Sound = amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return wave


def silence(seconds: float) -> Sound:
    """Zeros at 24 kHz."""
    return np.zeros(round(seconds * 24_000))


def spoken(text: str = PROSE) -> Sound:
    """The emulator's speech."""
    return np.frombuffer(speak(Utterance(text, "Kore")), "<i2") / 32_768


def saved(folder: Path, sound: npt.ArrayLike, *, rate: int = 24_000, form: str = "WAV", kind: str = "PCM_16") -> Path:
    """A file of it."""
    path = folder / "take"
    soundfile.write(path, sound, rate, format=form, subtype=kind)
    return path


def measured(folder: Path, sound: npt.ArrayLike, *, rate: int = 24_000) -> Measures:
    """The measures of a 16-bit WAV."""
    return measure(accept(saved(folder, sound, rate=rate)))


def test_silence_is_measured_where_it_lies(tmp_path: Path) -> None:
    """Share, longest stretch and end, to a hundredth of a second."""
    found = measured(tmp_path, np.concatenate([tone(0.5), silence(1.0), tone(0.3), silence(0.7)]))
    assert found.duration_s == 2.5
    assert found.silence_share == pytest.approx(1.7 / 2.5, abs=0.01)
    assert found.longest_silence_s == pytest.approx(1.0, abs=0.011)
    assert found.tail_silence_s == pytest.approx(0.7, abs=0.011)
    assert found.peak_dbfs == pytest.approx(-6.02, abs=0.01)


def test_a_take_that_ends_in_a_sound_has_no_tail(tmp_path: Path) -> None:
    """Be it in the midst of a hundredth of a second."""
    assert measured(tmp_path, np.concatenate([silence(1), tone(0.5037)])).tail_silence_s == 0


@pytest.mark.parametrize("amplitude", [0.5, 0.05, 0.005])
def test_a_quiet_voice_is_not_silence(tmp_path: Path, amplitude: float) -> None:
    """A whisper has the pauses of a call: silence is measured relative to its own peak."""
    sound = spoken()
    loud, quiet = measured(tmp_path, sound), measured(tmp_path, sound * amplitude)
    assert quiet.silence_share == pytest.approx(loud.silence_share, abs=0.08)


def test_digital_silence_has_finite_measures(tmp_path: Path) -> None:
    """Its level is reported as the floor."""
    found = measured(tmp_path, silence(2))
    assert found == Measures(2.0, FLOOR_DBFS, FLOOR_LUFS, 1.0, 2.0, 2.0, found.repeat_after_s, 0.0)


@given(
    frames=st.integers(1, 5_000),
    rate=st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000]),
    channels=st.integers(1, 3),
    amplitude=st.sampled_from([0.0, 1e-4, 0.5, 1.0]),
)
def test_any_length_rate_and_number_of_channels(
    tmp_path_factory: pytest.TempPathFactory, frames: int, rate: int, channels: int, amplitude: float
) -> None:
    """From a single sample on, every figure is finite and within its bounds."""
    sound = amplitude * np.sin(np.arange(frames * channels)).reshape(frames, channels)
    found = measured(tmp_path_factory.mktemp("take"), sound, rate=rate)
    assert all(math.isfinite(value) for value in dataclasses.astuple(found))
    assert found.duration_s == frames / rate
    assert 0 <= found.silence_share <= 1
    assert 0 <= found.tail_silence_s <= found.longest_silence_s <= found.duration_s
    assert 0 <= found.repeat_likeness <= 1


@pytest.mark.parametrize(
    ("form", "kind", "tolerance"),
    [
        ("WAV", "PCM_24", 0.01), ("WAV", "FLOAT", 0.01), ("WAV", "ULAW", 0.3), ("FLAC", "PCM_16", 0.01),
        ("OGG", "VORBIS", 1.5), ("MP3", "MPEG_LAYER_III", 1.5),
    ],
)  # fmt: skip
def test_the_container_changes_nothing(tmp_path: Path, form: str, kind: str, tolerance: float) -> None:
    """Decoded by the library, a sound measures as in a plain WAV; lossy ones come near."""
    sound = np.concatenate([spoken(), silence(1)])
    plain = measured(tmp_path, sound)
    other = measure(accept(saved(tmp_path, sound, form=form, kind=kind)))
    assert other.peak_dbfs == pytest.approx(plain.peak_dbfs, abs=tolerance)
    assert other.loudness_lufs == pytest.approx(plain.loudness_lufs, abs=tolerance / 2)
    assert other.silence_share == pytest.approx(plain.silence_share, abs=0.05)
    assert other.tail_silence_s == pytest.approx(plain.tail_silence_s, abs=0.06)


def test_headerless_and_streamed_samples(tmp_path: Path) -> None:
    """Bare samples, and a WAV with a note inside whose sizes were never filled in, measure as the finished file."""
    pcm = speak(Utterance(PROSE, "Kore"))
    plain = measured(tmp_path, spoken())
    head = new_head(0, sample_rate=24_000, channels=1, sample_bits=16)[:-4] + b"\xff" * 4
    noted = head[:12] + b"LIST\x04\0\0\0INFO" + head[12:]
    for content in (pcm, head + pcm, noted + pcm):
        (tmp_path / "take").write_bytes(content)
        assert measure(accept(tmp_path / "take")) == plain


def test_no_numbers_in_a_float_container(tmp_path: Path) -> None:
    """They are no sound: one such sample would make every measure meaningless."""
    sound = spoken()
    sound[1_000] = math.nan
    with pytest.raises(BadAudioError, match="no number"):
        measure(accept(saved(tmp_path, sound, kind="FLOAT")))


def test_a_container_damaged_in_its_midst_is_unreadable(tmp_path: Path) -> None:
    """It is bad audio, not a crash of the worker."""
    content = bytearray(saved(tmp_path, np.random.default_rng(1).normal(0, 0.1, 96_000), form="FLAC").read_bytes())
    take = accept(tmp_path / "take")
    content[len(content) // 2 : len(content) // 2 + 4_000] = bytes(4_000)
    (tmp_path / "take").write_bytes(content)
    with pytest.raises(BadAudioError, match="damaged"):
        measure(take)


@pytest.mark.parametrize(("channels", "lufs"), [(1, -3.01), (2, 0.0)])
@pytest.mark.parametrize("rate", [22_050, 24_000, 48_000])
def test_the_recommendations_own_example(tmp_path: Path, channels: int, lufs: float, rate: int) -> None:
    """A sine of 997 Hz at full scale has −3.01 LUFS in one channel, twice that power in two."""
    sound = np.repeat(tone(3, rate=rate, amplitude=0.9999)[:, None], channels, axis=1)
    assert measured(tmp_path, sound, rate=rate).loudness_lufs == pytest.approx(lufs, abs=0.05)


def test_pauses_do_not_make_a_voice_less_loud(tmp_path: Path) -> None:
    """Loudness is gated: ten seconds of silence leave it nearly as it is."""
    sound = spoken()
    alone, with_silence = measured(tmp_path, sound), measured(tmp_path, np.concatenate([sound, silence(10)]))
    assert with_silence.loudness_lufs == pytest.approx(alone.loudness_lufs, abs=0.2)


def test_what_is_far_quieter_does_not_count(tmp_path: Path) -> None:
    """Neither does a murmur 25 dB below the voice, which the relative gate leaves out."""
    alone = measured(tmp_path, tone(4)).loudness_lufs
    assert measured(tmp_path, np.concatenate([tone(4), tone(4) * 10 ** (-25 / 20)])).loudness_lufs == pytest.approx(
        alone, abs=0.5
    )


def filtered(sound: Sound) -> Sound:
    """The recommendation's filters at 48 kHz, sample by sample."""
    for (b0, b1, b2), (_, a1, a2) in (SHELF, HIGH_PASS):
        result = np.zeros(len(sound))
        x1 = x2 = y1 = y2 = 0.0
        for at, x in enumerate(sound.tolist()):
            y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
            x1, x2, y1, y2 = x, x1, y, y1
            result[at] = y
        sound = result
    return sound


def test_loudness_by_spectra_is_that_of_the_filters() -> None:
    """On speech, with its beginnings and ends, within a tenth of a decibel of filtering sample by sample."""
    sound = np.repeat(spoken(), 2)
    sound = sound[: len(sound) // 4_800 * 4_800]
    by_spectra = integrated(weighted_powers(sound.astype(np.float32).reshape(-1, 4_800), 48_000))
    by_filters = integrated((filtered(sound) ** 2).reshape(-1, 4_800).mean(axis=1))
    assert by_spectra == pytest.approx(by_filters, abs=0.1)
    assert by_spectra > 10 * math.log10(float((sound**2).mean())) + OFFSET_DB - 10


@pytest.mark.parametrize("repeats", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("text", ["No.", "Monday. Fog.", PROSE])
def test_what_comes_again_is_found(tmp_path: Path, repeats: int, text: str) -> None:
    """Also when the shift is no whole number of the compared samples; the longest distance is reported."""
    once = np.concatenate([spoken(text), np.zeros(5)])
    found = measured(tmp_path, np.tile(once, repeats))
    assert found.repeat_likeness > 0.7
    seconds = len(once) / 24_000
    apart = round(found.repeat_after_s / seconds)
    assert found.repeat_after_s == pytest.approx(apart * seconds, abs=0.03)
    assert apart == repeats // 2


@pytest.mark.parametrize("text", [PROSE, "Yes, of course!", "Hush, hush, whisper who dares."])
def test_continuing_speech_is_unlike_itself(tmp_path: Path, text: str) -> None:
    """Vowels and pitch return, but never the whole wave."""
    assert measured(tmp_path, spoken(text)).repeat_likeness < 0.5


@pytest.mark.parametrize("seconds", [1.0, 1.2, 4.0])
def test_silence_is_unlike_anything(tmp_path: Path, seconds: float) -> None:
    """Digital silence after the speech, however long: what is compared with it is not taken for its likeness."""
    sound = spoken("Yes, of course!")
    silence = np.zeros(int(len(sound) * seconds))
    assert measured(tmp_path, np.concatenate([sound, silence])).repeat_likeness < 0.5


def test_memory_is_bounded(tmp_path: Path) -> None:
    """An hour of sound, 173 MB, holds less than 16 MB."""
    path, size = tmp_path / "take", 3_600 * 48_000
    path.write_bytes(new_head(size, sample_rate=24_000, channels=1, sample_bits=16))
    with path.open("r+b") as file:
        file.truncate(44 + size)
    take = accept(path)
    tracemalloc.start()
    try:
        assert measure(take).silence_share == 1
        assert tracemalloc.get_traced_memory()[1] < 16e6
    finally:
        tracemalloc.stop()


def test_plain_samples_need_no_audio_library(tmp_path: Path) -> None:
    """The usual take is measured without soundfile."""
    path = saved(tmp_path, spoken())
    program = (
        "import sys; from pathlib import Path; from worker.audio.take import accept; "
        "from worker.audio.measurement import measure; "
        f"measure(accept(Path({str(path)!r}))); print({{'soundfile'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
