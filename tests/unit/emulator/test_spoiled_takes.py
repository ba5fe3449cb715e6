"""Takes that are wrong by what they say, and a voice that says words."""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from tests.speech.voice import launcher
from worker.acceptance.findings import Reason, Rung, TakeText
from worker.acceptance.listening import listen
from worker.cli.console.errors import UnusableEmulatorError
from worker.cli.service.emulator import emulate
from worker.emulator.api.calls import Call
from worker.emulator.faults import Effect, Take
from worker.emulator.voice import espeak
from worker.emulator.voice.cache import Shelf
from worker.emulator.voice.spoiling import spoiled_pcm, spoiled_text

FIRST = "The ferry leaves the small harbour at half past seven."
SECOND = "No one had told the gardener about the locked gate."
THIRD = "She poured the coffee slowly and looked out at the rain."
TEXT = f"{FIRST} {SECOND} {THIRD}"


@pytest.fixture
def espeak_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    launcher(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    espeak.speak.cache_clear()
    yield
    espeak.speak.cache_clear()


@pytest.mark.parametrize(
    ("take", "spoken"),
    [
        (Take.GOOD, TEXT),
        (Take.SENTENCE_MISSING, f"{FIRST} {THIRD}"),
        (Take.HALF_MISSING, f"{FIRST} No one had told the. {THIRD}"),
        (Take.SENTENCE_REPEATED, f"{FIRST} {SECOND} {SECOND} {THIRD}"),
        (Take.WORDS_SWAPPED, f"{FIRST} No locked had told the gardener about the one gate. {THIRD}"),
    ],
)
def test_another_text_is_spoken(take: Take, spoken: str) -> None:
    assert " ".join(spoiled_text(take, TEXT).split()) == spoken


@pytest.mark.parametrize("take", [Take.OTHER_TEXT, Take.OTHER_LANGUAGE])
def test_other_texts_are_about_as_long(take: Take) -> None:
    other = spoiled_text(take, TEXT)
    assert len(TEXT) <= len(other) < 2 * len(TEXT)
    assert "ferry" not in other


def test_every_text_stays_speakable() -> None:
    """A single word has no sentence to leave out."""
    assert all(spoiled_text(take, text).strip() for take in Take for text in ("Yes", "Yes.", "…", "はい。"))


def test_the_speech_is_changed() -> None:
    pcm = np.random.default_rng(5).integers(-9_000, 9_000, 96_000).astype("<i2").tobytes()
    assert len(spoiled_pcm(Take.SILENCE_INSERTED, pcm)) == len(pcm) + 3 * 48_000
    assert len(spoiled_pcm(Take.CLIPPED_START, pcm)) == len(pcm) - 38_400
    babble, dull = spoiled_pcm(Take.BABBLE, pcm), spoiled_pcm(Take.DRIFTING, pcm)
    assert len(babble) == len(dull) == len(pcm)
    assert babble[:96_000] == dull[:96_000] == pcm[:96_000]
    assert babble[96_000:] != pcm[96_000:]
    assert np.frombuffer(dull[100_000:], "<i2").std() < 0.5 * np.frombuffer(pcm, "<i2").std()


@pytest.mark.usefixtures("espeak_on_path")
def test_words_are_spoken_and_their_faults_heard() -> None:
    shelf = Shelf(None, says_words=True)
    fields = {"prompt": TEXT, "text": TEXT, "voice_1": "Kore"}
    call = Call("gemini-2.5-flash-tts", None, bearer=False, content_type="", fields=fields)
    for take, reason in ((Take.GOOD, Reason.FINE), (Take.SENTENCE_MISSING, Reason.MISSING_SENTENCE)):
        _, body = shelf.body("id", call, Effect(take=take), "")
        with wave.open(BytesIO(body)) as file:
            assert file.getframerate() == 24_000
            samples = np.asarray(np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768, np.float32)
        (found,) = listen(samples, 24_000, TakeText(call.text, "en"), rungs={Rung.SHAPE})
        assert found.reason is reason


def test_a_machine_without_the_program_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnusableEmulatorError, match="espeak-ng"):
        emulate(None, {"voice": "espeak"}, port=0)
    with pytest.raises(UnusableEmulatorError, match="invalid options"):
        emulate(None, {"voice": "robot"}, port=0)
