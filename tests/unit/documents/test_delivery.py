"""Recordings for Audible, checked as encoded files by a checker that shares no code with the program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from api_models.formats import AudioFormat
from tests.acx import faults
from tests.thorough import thorough
from tests.unit.documents.test_join import Signal, speech, write
from worker.documents.errors import DocumentError
from worker.documents.join.assembly import Take
from worker.documents.join.recording import Form, record
from worker.documents.join.style import PRESETS, Style
from worker.documents.plan.plan import Gap

ACX = Style(PRESETS["audiobook-acx"])
_LOUDNESS = thorough((0.01, 0.05, 0.3, 0.9), (0.01, 0.9))
_ROOMS = thorough((0.0, 1e-5, 1e-4, 1e-3, 2e-3), (0.0, 1e-3))


def dense(level: float, floor: float, seed: int) -> Signal:
    """Return syllables of noise, whose peaks are further above their level than a tone's."""
    rng = np.random.default_rng(seed)
    signal = speech(1.2, 0.8, pause=0.2, level=level, floor=floor)
    return np.asarray(np.clip(signal * rng.laplace(1.0, 0.4, len(signal)), -1, 1), np.float32)


@pytest.mark.parametrize("level", _LOUDNESS)
@pytest.mark.parametrize("floor", _ROOMS)
def test_documents_are_what_audible_requires(tmp_path: Path, level: float, floor: float) -> None:
    """Soft and loud ones, in digital silence and in noisy rooms, tones and noises by turns."""
    takes = [
        (write(tmp_path / f"{n}.wav", make), gap)
        for n, (make, gap) in enumerate(
            (
                (speech(0.9, 1.1, level=level, floor=floor), Gap.SENTENCE),
                (dense(level, floor * level, 3), Gap.PARAGRAPH),
                (speech(0.7, level=level, floor=floor), Gap.END),
            )
        )
    ]
    found = record(takes, tmp_path / "book.mp3", ACX)
    assert list(faults(found.path)) == []


def test_the_checker_refuses_other_files(tmp_path: Path) -> None:
    takes = [(write(tmp_path / "0.wav", speech(2.0, level=0.9)), Gap.END)]
    found = record(takes, tmp_path / "book.mp3", Style(), form=Form(AudioFormat.MP3, 44_100, 128))
    named = " ".join(faults(found.path))
    for fault in ("bitrates [128]", "RMS -", "peak -", "before the first sound", "behind the last sound"):
        assert fault in named


def test_places_count_from_the_beginning_of_the_file(tmp_path: Path) -> None:
    takes = [Take(write(tmp_path / f"{n}.wav", speech(0.8)), Gap.SENTENCE, speaker=name) for n, name in enumerate("ab")]
    for parts in (takes, [Take(take.path, take.gap) for take in takes]):
        found = record(parts, tmp_path / "book.mp3", ACX).assembly
        assert found.seconds(found.placed[0].begin) == pytest.approx(0.75, abs=0.001)
        assert sum(map(len, found.blocks())) == found.frames


def test_what_cannot_be_met_is_refused_and_leaves_the_former_file(tmp_path: Path) -> None:
    """Impulses have no level, however loud they are made."""
    signal = np.zeros(48_000, np.float32)
    signal[8_000:16_000:4_000] = 0.9
    into = tmp_path / "book.mp3"
    into.write_bytes(b"mine")
    with pytest.raises(DocumentError, match="RMS"):
        record([(write(tmp_path / "0.wav", signal), Gap.END)], into, ACX)
    assert into.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.wav", "book.mp3"]


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="requires MP3, not flac"):
        record([(write(tmp_path / "0.wav", speech(1.0)), Gap.END)], tmp_path / "book.flac", ACX)
