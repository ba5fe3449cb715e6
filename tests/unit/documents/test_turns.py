"""Turns joined: pauses and overlaps to the millisecond, speakers at one loudness, and tracks that sum to the whole."""

from __future__ import annotations

import io
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pysubs2
import pytest
import soundfile
from pyebur128 import MeasurementMode, R128State, get_loudness_global

from api_models.formats import AudioFormat
from tests.unit.documents.test_join import RATE, Signal, noise, write
from worker.documents.captions import formats
from worker.documents.captions.cues import Cue, TimeSource, sentence_cues
from worker.documents.captions.layout import captions
from worker.documents.join.assembly import Assembly, Take, assemble
from worker.documents.join.recording import Form, record
from worker.documents.join.stems import names
from worker.documents.join.style import PRESETS, Style
from worker.documents.plan.plan import Gap

SILENT = 0.01
CLOSE = 0.002
"""Seconds."""


def tone(seconds: float, hertz: float, level: float, floor: float = 0.0) -> Signal:
    """Return a tone of constant level between two silences of 0.3 s."""
    time = np.arange(round(seconds * RATE)) / RATE
    said = (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
    edge = noise(0.3, floor, 7)
    return np.concatenate((edge, said, edge))


@pytest.fixture
def takes(tmp_path: Path) -> list[Take]:
    """Anna is loud, Ben is soft, Cora is between."""
    wanted = [
        ("Anna", 1.2, 0.4, Gap.REPLY, None),
        ("Ben", 1.0, 0.05, Gap.REPLY, 1.5),
        ("Anna", 0.9, 0.35, Gap.THOUGHT, None),
        ("Anna", 1.1, 0.4, Gap.REPLY, -0.25),
        ("Cora", 1.3, 0.15, Gap.REPLY, 0.037),
        ("Ben", 1.0, 0.06, Gap.END, None),
    ]
    pitch = {"Anna": 220.0, "Ben": 110.0, "Cora": 165.0}
    return [
        Take(write(tmp_path / f"{index}.wav", tone(length, pitch[who], level)), gap, pause, who)
        for index, (who, length, level, gap, pause) in enumerate(wanted)
    ]


def heard(path: Path) -> Signal:
    samples, _ = soundfile.read(path, dtype="float32")
    return np.asarray(samples, np.float32)


def silences(samples: Signal) -> list[float]:
    """Return the seconds of each silent stretch between two sounds; a wave crosses zero for less than 3 ms."""
    loud = np.flatnonzero(np.abs(samples) > SILENT)
    steps = np.diff(loud)
    return [float(step) / RATE for step in steps if step > 0.003 * RATE]


def test_pauses_are_exact_from_the_last_sound_to_the_first(tmp_path: Path, takes: list[Take]) -> None:
    found = record(takes, tmp_path / "all.wav", Style())
    samples = heard(found.path)
    assert silences(samples) == pytest.approx([0.25, 1.5, 0.6, 0.037], abs=CLOSE)
    placed = found.assembly.placed
    gaps = [(after.start - before.end) / RATE for before, after in pairwise(placed)]
    assert gaps == pytest.approx([0.25, 1.5, 0.6, -0.25, 0.037], abs=CLOSE)


def test_an_overlap_is_at_most_half_of_the_shorter_turn(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1.wav", tone(0.3, 200, 0.3)), write(tmp_path / "2.wav", tone(2.0, 150, 0.3))
    takes = [Take(one, Gap.REPLY, -0.4, "A"), Take(two, Gap.REPLY, None, "B"), Take(one, Gap.END, None, "A")]
    first, second, _ = assemble(takes, Style()).placed
    assert (first.end - second.start) / RATE == pytest.approx(0.15, abs=CLOSE)


def loudness(samples: Signal) -> float:
    state = R128State(1, RATE, MeasurementMode.MODE_I)
    state.add_frames(np.ascontiguousarray(samples), len(samples))
    return float(get_loudness_global(state))


def tracks(path: Path) -> dict[str, Signal]:
    with zipfile.ZipFile(path) as archive:
        return {
            name: np.asarray(soundfile.read(io.BytesIO(archive.read(name)), dtype="float32")[0], np.float32)
            for name in archive.namelist()
        }


@pytest.mark.parametrize("preset", [name for name, preset in PRESETS.items() if preset.delivery is None])
def test_tracks_sum_to_the_recording(tmp_path: Path, takes: list[Take], preset: str) -> None:
    """Mastered and limited alike; each is as long as the whole, and silent where its speaker is."""
    found = record(takes, tmp_path / "all.wav", Style(PRESETS[preset]), tracks=tmp_path / "all.zip")
    whole, stems = heard(found.path), tracks(tmp_path / "all.zip")
    assert list(stems) == ["01 Anna.flac", "02 Ben.flac", "03 Cora.flac"]
    assert {len(track) for track in stems.values()} == {len(whole)}
    together = np.sum(list(stems.values()), axis=0)
    assert np.abs(together - whole).max() < 1e-4
    assert abs(20 * np.log10(np.std(together) / np.std(whole))) < 0.1
    ben = found.assembly.placed[1]
    assert np.abs(stems["01 Anna.flac"][ben.start : ben.end]).max() == 0
    assert sorted(path.name for path in tmp_path.iterdir() if "track" in path.name) == []


def test_tracks_have_the_rate_of_the_recording(tmp_path: Path, takes: list[Take]) -> None:
    form = Form(AudioFormat.WAV, 44_100)
    found = record(takes, tmp_path / "all.wav", Style(), form=form, tracks=tmp_path / "all.zip")
    stems = tracks(tmp_path / "all.zip")
    together, whole = np.sum(list(stems.values()), axis=0), heard(found.path)
    assert len(together) == len(whole)
    assert abs(20 * np.log10(np.std(together) / np.std(whole))) < 0.1


def test_speakers_have_one_loudness_and_the_casts_gain_is_added(tmp_path: Path, takes: list[Take]) -> None:
    record(takes, tmp_path / "all.wav", Style(), tracks=tmp_path / "all.zip")
    levels = [loudness(track) for track in tracks(tmp_path / "all.zip").values()]
    assert max(levels) - min(levels) < 1.0
    louder = [take._replace(gain_db=3.0) if take.speaker == "Ben" else take for take in takes]
    record(louder, tmp_path / "all.wav", Style(), tracks=tmp_path / "all.zip")
    assert loudness(tracks(tmp_path / "all.zip")["02 Ben.flac"]) - levels[1] == pytest.approx(3.0, abs=0.1)
    record(takes, tmp_path / "all.wav", Style(levelled=False), tracks=tmp_path / "all.zip")
    spoken = [loudness(track) for track in tracks(tmp_path / "all.zip").values()]
    assert max(spoken) - min(spoken) > 12


def test_a_pace_changes_the_length_and_not_the_pitch(tmp_path: Path) -> None:
    take = write(tmp_path / "1.wav", tone(3.0, 200, 0.3))
    found = record([Take(take, Gap.END, None, "A", pace=1.25)], tmp_path / "all.wav", Style())
    samples = heard(found.path)
    assert len(samples) / RATE == pytest.approx(3.0 / 1.25, abs=0.3)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert np.fft.rfftfreq(len(samples), 1 / RATE)[int(spectrum.argmax())] == pytest.approx(200, abs=4)


def assembly_of(takes: list[Take]) -> Assembly:
    return assemble(takes, Style())


def test_captions_name_their_speakers(takes: list[Take]) -> None:
    texts = [f"This is turn number {index}." for index in range(len(takes))]
    shown = captions(sentence_cues(texts, "en", assembly_of(takes)), "en")
    speakers = [take.speaker for take in takes]
    vtt, ass = formats.vtt(shown), formats.ass(shown)
    assert [line.partition(">")[0] for line in vtt.splitlines() if line.startswith("<v ")] == [
        f"<v {name}" for name in speakers
    ]
    assert [event.name for event in pysubs2.SSAFile.from_string(ass, "ass")] == speakers
    assert formats.srt(shown).count("Anna: ") == 2
    assert formats.transcript(texts, speakers).startswith("Anna: This is turn number 0.\n\nBen: ")


def test_names_in_captions_are_shown_and_not_obeyed() -> None:
    shown = captions([Cue(0, 2, "Yes.", TimeSource.SEAM, 0, speaker="A <b>, {C}")], "en")
    assert "<v A &lt;b&gt;, {C}>Yes." in formats.vtt(shown)
    (event,) = pysubs2.SSAFile.from_string(formats.ass(shown), "ass")
    assert (event.name, event.plaintext) == ("A <b>  {C}", "Yes.")


def test_tracks_are_named_by_number_and_safe_characters() -> None:
    assert names(["", "../Anna", "李雷", "a" * 300])[:3] == ["01 speech.flac", "02 Anna.flac", "03 李雷.flac"]
    assert len(names(["a" * 300])[0]) < 70
