"""Takes joined into one recording: nothing said is lost, pauses and levels are as asked, the file is whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from worker.audio.errors import BadAudioError
from worker.documents.errors import DocumentError
from worker.documents.join import recording
from worker.documents.join.clips import Samples, load, measure
from worker.documents.join.mastering import mastered
from worker.documents.join.recording import record
from worker.documents.join.style import GAP_SECONDS, LEAD_SECONDS, PRESETS, TAIL_SECONDS, Style
from worker.documents.plan.plan import Gap

RATE = 24_000
PLAIN = Style(levelled=False)
Signal = npt.NDArray[np.float32]


def noise(seconds: float, level: float, seed: int = 1) -> Signal:
    return (np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * level).astype(np.float32)


def speech(*seconds: float, pause: float = 0.3, level: float = 0.2, floor: float = 1e-4, edge: float = 0.5) -> Signal:
    """Return bursts of a gliding tone between pauses, in the noise of a room."""
    pieces = [noise(edge, floor)]
    for index, length in enumerate(seconds):
        time = np.arange(round(length * RATE)) / RATE
        tone = level * np.sin(2 * np.pi * (150 + 40 * index) * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))
        pieces += [tone.astype(np.float32) + noise(length, floor, index), noise(pause, floor, index)]
    pieces[-1] = noise(edge, floor, 99)
    return np.concatenate(pieces)


def write(path: Path, signal: Signal, rate: int = RATE) -> Path:
    soundfile.write(path, signal, rate, subtype="FLOAT")
    return path


@pytest.fixture
def takes(tmp_path: Path) -> list[tuple[Path, Gap]]:
    gaps = [Gap.SENTENCE, Gap.PARAGRAPH, Gap.HEADING, Gap.SCENE, Gap.CHAPTER, Gap.END]
    return [
        (write(tmp_path / f"{index}.wav", speech(0.4 + 0.2 * index, 0.5, level=0.1 + 0.02 * index)), gap)
        for index, gap in enumerate(gaps)
    ]


def heard(path: Path) -> Samples:
    return load(path)[0]


def test_everything_said_is_in_the_recording_at_its_place(tmp_path: Path, takes: Sequence[tuple[Path, Gap]]) -> None:
    found = record(takes, tmp_path / "all.wav", PLAIN)
    samples = heard(tmp_path / "all.wav")
    for placed in found.assembly.placed:
        first, last = placed.clip.speech
        said = heard(placed.clip.path)[first:last]
        at = placed.start + first - placed.cut[0]
        assert np.abs(samples[at : at + len(said)] - said).max() < 2e-4


def test_pauses_are_those_of_the_table(tmp_path: Path, takes: Sequence[tuple[Path, Gap]]) -> None:
    placed = record(takes, tmp_path / "all.wav", PLAIN).assembly.placed
    for before, after, (_, gap) in zip(placed, placed[1:], takes, strict=False):
        assert after.start - before.end == round(GAP_SECONDS[gap] * RATE)
    for part in placed:
        assert part.clip.speech[0] - part.cut[0] <= round(LEAD_SECONDS * RATE)
        assert part.cut[1] - part.clip.speech[1] <= round(TAIL_SECONDS * RATE)


def test_pauses_sound_like_the_room_and_not_like_nothing(tmp_path: Path, takes: Sequence[tuple[Path, Gap]]) -> None:
    found = record(takes, tmp_path / "all.wav", PLAIN)
    samples, (before, after) = heard(found.path), found.assembly.placed[4:6]
    silence = samples[before.end : after.start]
    assert 0.3e-4 < float(np.sqrt(np.mean(silence**2))) < 3e-4


def test_digital_silence_stays_digital(tmp_path: Path) -> None:
    takes = [(write(tmp_path / f"{n}.wav", speech(0.6, floor=0.0)), Gap.SENTENCE) for n in range(2)]
    found = record(takes, tmp_path / "all.wav", PLAIN)
    first, second = found.assembly.placed
    assert not heard(found.path)[first.end : second.start].any()


def test_seams_do_not_click(tmp_path: Path) -> None:
    takes = [(write(tmp_path / f"{n}.wav", speech(0.6, edge=0.0, level=0.5)), Gap.SENTENCE) for n in range(3)]
    found = record(takes, tmp_path / "all.wav", PLAIN)
    samples = heard(found.path)
    for placed in found.assembly.placed:
        assert abs(float(samples[placed.start, 0])) < 1e-3
        assert abs(float(samples[placed.end - 1, 0])) < 1e-3


def test_pauses_inside_a_take_are_never_shortened(tmp_path: Path) -> None:
    take = write(tmp_path / "one.wav", speech(0.5, 0.5, pause=1.7))
    found = record([(take, Gap.END)], tmp_path / "all.wav", PLAIN)
    assert found.seconds == pytest.approx(0.5 + 1.7 + 0.5 + LEAD_SECONDS + TAIL_SECONDS, abs=0.03)
    assert len(found.assembly.placed[0].clip.pauses) == 1


def test_soft_endings_are_kept(tmp_path: Path) -> None:
    dying = speech(0.8, edge=0.8) * np.linspace(1, 0.02, round(2.4 * RATE), dtype=np.float32)
    clip = measure(write(tmp_path / "one.wav", dying))
    assert clip.speech[1] >= round(1.55 * RATE)


def test_parts_come_nearer_to_the_median_by_three_decibels_at_most(tmp_path: Path) -> None:
    levels = [0.05, 0.1, 0.1, 0.1, 0.12]
    takes = [(write(tmp_path / f"{n}.wav", speech(1.5, level=level)), Gap.SENTENCE) for n, level in enumerate(levels)]
    gains = [20 * np.log10(placed.gain) for placed in record(takes, tmp_path / "all.wav", Style()).assembly.placed]
    assert gains[0] == pytest.approx(3.0, abs=0.01)
    assert gains[1:4] == pytest.approx([0, 0, 0], abs=0.01)
    assert gains[4] == pytest.approx(-1.58, abs=0.1)


@pytest.mark.parametrize("name", ["podcast", "broadcast"])
def test_presets_are_met(tmp_path: Path, takes: Sequence[tuple[Path, Gap]], name: str) -> None:
    preset = PRESETS[name]
    found = record(takes, tmp_path / "all.wav", Style(preset))
    assert preset.lufs is not None
    assert found.loudness.lufs == pytest.approx(preset.lufs, abs=0.3)
    assert found.loudness.true_peak_dbtp <= preset.peak_dbtp


def test_peaks_are_turned_down_smoothly() -> None:
    rng = np.random.default_rng(3)
    signal = (rng.standard_normal(5 * RATE) * 0.05).astype(np.float32)
    signal[rng.integers(0, len(signal), 40)] = 0.9
    blocks = [part[:, None] for part in np.array_split(signal, 37)]
    loud = np.concatenate(list(mastered(blocks, 2.0, PRESETS["podcast"], RATE)))
    assert loud.shape == (len(signal), 1)
    assert float(np.abs(loud).max()) <= 10 ** (PRESETS["podcast"].peak_dbtp / 20)
    quiet = np.abs(signal) < 0.2
    change = loud[quiet, 0] / np.where(signal[quiet] == 0, 1, signal[quiet])
    assert np.abs(np.diff(change)).max() < 0.05


@pytest.mark.parametrize("suffix", recording.SUFFIXES)
def test_every_format_is_what_its_name_says(tmp_path: Path, takes: Sequence[tuple[Path, Gap]], suffix: str) -> None:
    found = record(takes, tmp_path / f"all{suffix}", PLAIN)
    with soundfile.SoundFile(found.path) as sound:
        assert sound.frames / sound.samplerate == pytest.approx(found.seconds, abs=0.1)
        assert sound.format == {".wav": "WAV", ".flac": "FLAC", ".mp3": "MP3"}.get(suffix, "OGG")


def test_a_recording_beyond_four_gigabytes_is_rf64(
    tmp_path: Path, takes: Sequence[tuple[Path, Gap]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MAX_WAV_BYTES", 10_000)
    found = record(takes, tmp_path / "all.wav", PLAIN)
    assert found.path.read_bytes()[:4] == b"RF64"
    assert len(heard(found.path)) == found.assembly.frames


def test_takes_unlike_the_first_are_refused(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a.wav", speech(0.5)), write(tmp_path / "b.wav", speech(0.5), 22_050)
    with pytest.raises(DocumentError, match=r"b\.wav has 22,050 Hz and 1 channel\(s\), a\.wav has 24,000 Hz"):
        record([(one, Gap.SENTENCE), (other, Gap.END)], tmp_path / "all.wav", PLAIN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "b.wav"]


@pytest.mark.parametrize(
    ("signal", "reason"), [(np.zeros(RATE, np.float32), "is silent"), (np.zeros(0, np.float32), "has no samples")]
)
def test_a_take_without_speech_is_refused(tmp_path: Path, signal: Signal, reason: str) -> None:
    take = write(tmp_path / "a.wav", signal)
    with pytest.raises(DocumentError, match=reason):
        record([(take, Gap.END)], tmp_path / "all.wav", PLAIN)


def test_a_failure_leaves_the_old_recording(tmp_path: Path, takes: Sequence[tuple[Path, Gap]]) -> None:
    into = tmp_path / "all.wav"
    record(takes, into, PLAIN)
    before = into.read_bytes()
    takes[3][0].write_bytes(b"RIFF")
    with pytest.raises(BadAudioError):
        record(takes, into, PLAIN)
    assert into.read_bytes() == before
    assert not list(tmp_path.glob("*.part"))
