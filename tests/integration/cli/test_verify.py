"""`ttsq verify`: the file, its provenance and the ledger say the same, or the difference is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import run_command
from tests.integration.cli.run_command import emulator
from tests.terminal import Ttsq, ttsq
from worker.emulator.server import Emulator

__all__ = ["emulator", "ttsq"]

SIDE = Path("spoken/one.wav.provenance.json")
AUDIO = Path("spoken/one.wav")


@pytest.fixture
def spoken(ttsq: Ttsq, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Ttsq:
    """A run of one line with its provenance."""
    monkeypatch.setenv("SEGMIND_BASE_URL", emulator.base_url)
    monkeypatch.setenv("SEGMIND_API_KEY", emulator.key)
    Path("texts.csv").write_text("custom_id,text,voice_1\none,A text with its provenance.,Puck\n", encoding="utf-8")
    shown = run_command.ttsq("run", "texts.csv", "--out", "spoken", "--provenance", "--json")
    assert shown.code == 0, shown.err
    return ttsq


def states(shown: Any) -> dict[str, str]:  # noqa: ANN401 - what a command left
    return {check["name"]: check["state"] for check in shown.data["checks"]}


def edited(change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(SIDE.read_text(encoding="utf-8"))
    change(content)
    SIDE.write_text(json.dumps(content), encoding="utf-8")


def test_differences_are_named_by_what_differs(spoken: Ttsq) -> None:
    """Exit code 0 for the same, 1 for a difference: in the file, the provenance, the ledger."""
    good = spoken("verify", str(AUDIO))
    assert (good.code, "its provenance and the ledger describe" in good.out) == (0, True)
    assert set(states(spoken("verify", str(AUDIO), "--json")).values()) == {"same"}

    original, audio = SIDE.read_bytes(), AUDIO.read_bytes()
    AUDIO.write_bytes(audio[:-1] + b"x")
    damaged = spoken("verify", str(AUDIO))
    assert (damaged.code, "sha256: expected" in damaged.out) == (1, True)
    AUDIO.write_bytes(audio)

    changes: dict[str, Callable[[dict[str, Any]], object]] = {
        "ledger: text": lambda content: content["text"].update(sha256="0" * 64),
        "ledger: model": lambda content: content.update(model="another"),
        "ledger: voices": lambda content: content.update(voices=["Kore"]),
        "cost": lambda content: content["call"].update(cost="0"),
        "job": lambda content: content["job"].update(id="01926d3a-1c1f-7c4e-9c1b-0d6f0a4b7e55"),
    }
    for name, change in changes.items():
        SIDE.write_bytes(original)
        edited(change)
        shown = spoken("verify", str(AUDIO), "--json")
        assert shown.code == 1
        assert states(shown)[name] == "different", name
    SIDE.write_bytes(original)

    moved = shutil.copy(AUDIO, "elsewhere.wav")
    assert spoken("verify", str(moved), "--provenance", str(SIDE)).code == 0
    shutil.rmtree(".ttsq")
    absent = spoken("verify", str(AUDIO))
    assert (absent.code, "no queue" in absent.err) == (2, True)
    assert spoken("verify", str(AUDIO), "--offline").code == 0


@pytest.mark.parametrize(
    ("side", "message"),
    [
        (None, "No such file"),
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "no object"),
        (b'{"format": "other/9"}', 'not a provenance of this version ("other/9"'),
        (b'{"format": "ttsq-provenance/1", "job": 3}', "job: is missing, or not an object"),
        (b" " * 1_000_001, "is larger than 1,000,000 bytes"),
    ],
)
def test_an_unusable_provenance_is_refused(ttsq: Ttsq, side: bytes | None, message: str) -> None:
    """With exit code 2, naming the file and the remedy."""
    Path("one.wav").write_bytes(b"RIFF")
    if side is not None:
        Path("one.wav.provenance.json").write_bytes(side)
    shown = ttsq("verify", "one.wav")
    assert shown.code == 2
    assert "one.wav.provenance.json" in shown.err
    assert message in shown.err


def test_what_is_no_audio_file_is_refused(ttsq: Ttsq) -> None:
    Path("folder").mkdir()
    for name in ("absent.wav", "folder"):
        shown = ttsq("verify", name)
        assert (shown.code, name in shown.err) == (2, True)
