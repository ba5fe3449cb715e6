"""`ttsq plan`, `run` and `join`: a text in, one recording out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from tests.terminal import Ttsq

BOOK = """# The Ferry

## One

It was the best of times. The ferry leaves at ten past four. "Hurry!" he cried. They ran down to the harbour.

---

Later it rained.

## Two

The end came quickly.
"""


@pytest.fixture
def parts(ttsq: Ttsq) -> Path:
    Path("ferry.md").write_text(BOOK, encoding="utf-8")
    assert ttsq("plan", "ferry.md", "--out", "parts.csv").code == 0
    assert ttsq("run", "parts.csv", "--rehearse", "--out", "audio/parts").code == 0
    return Path("parts.csv")


def test_a_text_becomes_one_recording_with_captions_and_chapters(ttsq: Ttsq, parts: Path) -> None:
    kinds = ("vtt", "srt", "json", "chapters", "transcript")
    options = [option for kind in kinds for option in ("--captions", kind)]
    shown = ttsq("join", str(parts), "--out", "ferry.mp3", "--preset", "podcast", *options)
    assert shown.code == 0, shown.err
    assert "-16.0 LUFS" in shown.out
    assert soundfile.info("ferry.mp3").format == "MP3"
    chapters = json.loads(Path("ferry.chapters.json").read_text(encoding="utf-8"))["chapters"]
    assert [chapter["title"] for chapter in chapters] == ["One", "Two"]
    assert Path("ferry.vtt").read_text(encoding="utf-8").startswith("WEBVTT\n")
    assert "The ferry leaves at ten past four." in Path("ferry.srt").read_text(encoding="utf-8")
    assert "Later it rained." in Path("ferry.txt").read_text(encoding="utf-8")
    assert len(json.loads(Path("ferry.json").read_text(encoding="utf-8"))) == 9


def test_pauses_can_be_set(ttsq: Ttsq, parts: Path) -> None:
    ttsq("join", str(parts), "--out", "usual.wav")
    ttsq("join", str(parts), "--out", "long.wav", "--gap", "scene=4.2")
    usual, longer = (soundfile.info(name).frames / 24_000 for name in ("usual.wav", "long.wav"))
    assert longer - usual == pytest.approx(3.0, abs=0.001)


def test_a_recording_is_never_shorter_than_its_plan(ttsq: Ttsq, parts: Path) -> None:
    Path("audio/parts/part_0003.wav").unlink()
    shown = ttsq("join", str(parts), "--out", "ferry.wav")
    assert shown.code == 2
    assert "lacks 1 take of 6: part_0003" in shown.err
    assert not Path("ferry.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("parts.csv", "--out", "taken.wav"), "exists already"),
        (("parts.csv", "--out", "ferry.aac"), "no format"),
        (("parts.csv", "--out", "ferry.wav", "--preset", "loud"), "use none, podcast, broadcast"),
        (("parts.csv", "--out", "ferry.wav", "--preset", "audiobook-acx"), "requires MP3, not wav"),
        (("parts.csv", "--out", "ferry.wav", "--gap", "verse=1"), "names no kind of place"),
        (("parts.csv", "--out", "ferry.wav", "--gap", "scene=-1"), "0 to 30"),
        (("ferry.md", "--out", "ferry.wav"), "lacks the column custom_id"),
        (("missing.csv", "--out", "ferry.wav"), "No such file"),
        (("parts.csv", "--out", "audio/parts/part_0001.wav", "--overwrite"), "is one of the takes"),
    ],
)
def test_refusals_name_the_reason_and_change_nothing(
    ttsq: Ttsq, parts: Path, arguments: tuple[str, ...], message: str
) -> None:
    Path("taken.wav").write_bytes(b"mine")
    before = {path: path.read_bytes() for path in Path("audio/parts").glob("*.wav")}
    shown = ttsq("join", *arguments)
    assert shown.code == 2
    assert message in shown.err
    assert Path("taken.wav").read_bytes() == b"mine"
    assert {path: path.read_bytes() for path in Path("audio/parts").glob("*.wav")} == before
    assert parts.exists()
