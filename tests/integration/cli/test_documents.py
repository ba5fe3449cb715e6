"""`ttsq run` with long rows and with documents: a text in, one recording out, bought once."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import soundfile

from tests.acx import faults
from tests.long_texts import paragraphs, sentence
from tests.terminal import KEY, Shown, Ttsq
from worker.emulator.config import EmulatorConfig
from worker.emulator.server import Emulator


@pytest.fixture
def api(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An API, and the settings that lead to it."""
    del ttsq  # its settings come first
    with Emulator(EmulatorConfig(key=KEY)) as running:
        monkeypatch.setenv("SEGMIND_BASE_URL", running.base_url)
        monkeypatch.setenv("SEGMIND_RPM", "unlimited")
        yield running


def book(*chapters: str) -> str:
    return "# The Ferry\n\n" + "\n\n".join(f"## Chapter {number}\n\n{text}" for number, text in enumerate(chapters, 1))


def write_sheet(*rows: tuple[str, str]) -> None:
    with Path("sheet.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("custom_id", "text"), *rows])


def seconds(path: str) -> float:
    return float(soundfile.info(path).duration)


def test_a_row_of_twenty_thousand_characters_is_one_file(ttsq: Ttsq, api: Emulator) -> None:
    """One row, one file, one line in the manifest; the quote is the bill."""
    text = paragraphs(40)
    assert len(text) > 20_000
    write_sheet(("long", text), ("short", "The ferry leaves at ten past four."))
    quoted = ttsq("quote", "sheet.csv", "--json").data
    shown = ttsq("run", "sheet.csv", "--yes", "--json")
    assert shown.code == 0, shown.err
    state = api.state()
    assert (shown.data["total"], shown.data["succeeded"]) == (2, 2)
    assert Decimal(shown.data["cost"]) == state.billed
    assert quoted["calls"] == state.billed_calls > 20
    assert abs(Decimal(quoted["cost"]) - state.billed) <= state.billed / 10
    folder = Path("audio/sheet")
    assert sorted(path.name for path in folder.glob("*.wav")) == ["long.wav", "short.wav"]
    assert seconds("audio/sheet/long.wav") > len(text) / 20
    with (folder / "manifest.csv").open(encoding="utf-8-sig") as stream:
        assert [row["custom_id"] for row in csv.DictReader(stream)] == ["long", "short"]
    again = ttsq("run", "sheet.csv", "--yes", "--json")
    assert (again.code, api.state().billed_calls) == (0, state.billed_calls)


def test_a_book_becomes_one_recording_with_captions(ttsq: Ttsq, api: Emulator) -> None:
    Path("ferry.md").write_text(book(paragraphs(6), paragraphs(6, first=100)), encoding="utf-8")
    shown = ttsq("run", "ferry.md", "--out", "out/ferry.mp3", "--captions", "vtt", "--captions", "chapters", "--yes")
    assert shown.code == 0, shown.err
    assert "out/ferry.mp3" in shown.out + shown.err
    assert api.state().billed_calls > 1
    assert soundfile.info("out/ferry.mp3").format == "MP3"
    captions = Path("out/ferry.vtt").read_text(encoding="utf-8")
    assert captions.startswith("WEBVTT\n")
    assert sentence(100)[:20] in captions
    chapters = json.loads(Path("out/ferry.chapters.json").read_text(encoding="utf-8"))["chapters"]
    assert [chapter["title"] for chapter in chapters] == ["Chapter 1", "Chapter 2"]


@pytest.mark.parametrize("out", ["ferry.ogg", "out/ferry.M4A", "ferry.mp4"])
def test_a_recording_of_an_unknown_kind_is_refused_before_anything_is_bought(
    ttsq: Ttsq, api: Emulator, out: str
) -> None:
    """It would otherwise become a folder of that name. A folder that exists is one, whatever its name."""
    Path("ferry.md").write_text(book(paragraphs(2)), encoding="utf-8")
    shown = ttsq("run", "ferry.md", "--out", out, "--yes")
    assert shown.code == 2
    assert "is no format that a recording is written in" in shown.err
    assert "end it with .wav" in shown.err
    assert api.state().billed_calls == 0
    Path(out).mkdir(parents=True)
    assert ttsq("run", "ferry.md", "--out", out, "--yes").code == 0


def test_an_audiobook_is_what_audible_requires(ttsq: Ttsq, api: Emulator) -> None:
    """A format that the preset does not allow is refused before anything is bought."""
    Path("ferry.md").write_text(book(paragraphs(2)), encoding="utf-8")
    assert ttsq("run", "ferry.md", "--out", "ferry.opus", "--preset", "audiobook-acx", "--yes").code == 2
    assert api.state().billed_calls == 0
    shown = ttsq("run", "ferry.md", "--out", "ferry.mp3", "--preset", "audiobook-acx", "--yes")
    assert shown.code == 0, shown.err
    assert list(faults(Path("ferry.mp3"))) == []


def test_an_edited_sentence_buys_two_parts_at_most(ttsq: Ttsq, api: Emulator) -> None:
    """The new recording has the new sentence, and everything else is copied."""
    text = book(paragraphs(10), paragraphs(10, first=100))
    Path("ferry.md").write_text(text, encoding="utf-8")
    run = ("run", "ferry.md", "--out", "ferry.flac", "--captions", "transcript", "--yes", "--json")
    assert ttsq(*run).code == 0
    bought, before = api.state().billed_calls, Path("ferry.flac").read_bytes()
    assert bought > 10
    edited = text.replace(sentence(30), "The whole pier fell silent, for that light was new to all of them.")
    Path("ferry.md").write_text(edited, encoding="utf-8")
    quoted = ttsq("quote", *run[1:4], "--json").data
    shown = ttsq(*run)
    assert shown.code == 0, shown.err
    again = api.state().billed_calls - bought
    assert again <= 2
    assert quoted["calls"] == again
    assert Path("ferry.flac").read_bytes() != before
    assert "The whole pier fell silent" in Path("ferry.txt").read_text(encoding="utf-8")


def test_a_budget_in_the_middle_of_a_book_holds_it(ttsq: Ttsq, api: Emulator) -> None:
    """What was bought is kept; the same command with a larger budget buys the rest."""
    Path("ferry.md").write_text(book(paragraphs(12)), encoding="utf-8")
    run = ("run", "ferry.md", "--out", "ferry.wav", "--yes", "--json")
    held = ttsq(*run, "--max-cost", "0.03")
    assert held.code == 3, held.err
    some = api.state()
    assert Decimal(0) < some.billed <= Decimal("0.03")
    assert not Path("ferry.wav").exists()
    resumed = ttsq(*run, "--max-cost", "1")
    assert resumed.code == 0, resumed.err
    assert len(api.state().billed_texts) == api.state().billed_calls
    assert Path("ferry.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ferry.md", "--out", "ferry.mp3", "--preset", "loud"), '--preset: "loud" is not a preset'),
        (("ferry.md", "--out", "ferry.flac", "--preset", "audiobook-acx"), "is delivered as MP3, not as flac"),
        (("ferry.md", "--out", "ferry.mp3", "--gap", "verse=1"), '--gap: "verse=1" names no kind of place'),
        (("ferry.md", "--out", "ferry.mp3", "--format", "wav"), '--format: "wav" differs from the suffix of ferry.mp3'),
        (("sheet.csv", "--captions", "vtt"), "apply to a document"),
        (("ferry.md", "--out", "ferry.mp3", "--voice-2", "Puck"), "a document has one speaker"),
        (("empty.md", "--out", "empty.mp3"), "the document has no text"),
        (("locked.epub", "--out", "locked.mp3"), "locked.epub"),
    ],
)
def test_what_no_recording_can_be_made_of_is_refused(
    ttsq: Ttsq, api: Emulator, arguments: tuple[str, ...], message: str
) -> None:
    Path("ferry.md").write_text(book("It rained."), encoding="utf-8")
    Path("empty.md").write_text("\n\n", encoding="utf-8")
    Path("locked.epub").write_bytes(b"PK\x03\x04 and nothing else")
    write_sheet(("a", "It rained."))
    shown: Shown = ttsq("run", *arguments, "--yes")
    assert shown.code != 0
    assert message in " ".join(shown.err.split())
    assert api.state().billed_calls == 0


def test_times_lie_beside_the_audio_and_are_printed(ttsq: Ttsq, api: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a row that asked for them, and of a document; of other rows they are measured when wanted."""
    monkeypatch.setenv("TTSQ_WORD_TIMES", "off")
    write_sheet(("short", "The ferry leaves at ten. It waits."), ("long", paragraphs(10)))
    shown = ttsq("run", "sheet.csv", "--timings", "word", "--yes")
    assert shown.code == 0, shown.err
    for name, sentences in (("short", 2), ("long", 50)):
        found = json.loads(Path(f"audio/sheet/{name}.wav.timings.json").read_text(encoding="utf-8"))
        assert len(found["sentences"]) >= sentences
        assert found["words"][-1]["end"] <= seconds(f"audio/sheet/{name}.wav") + 0.1
    assert ttsq("takes", "timings", "short", "--format", "vtt").out.startswith("WEBVTT\n")
    assert ttsq("takes", "timings", "long", "--out", "long.json").code == 0
    assert len(json.loads(Path("long.json").read_text(encoding="utf-8"))["parts"]) > 1
    Path("audio/sheet/short.wav.timings.json").unlink()
    assert "It waits." in ttsq("takes", "timings", "short", "--format", "srt").out
    assert ttsq("takes", "timings", "other").code != 0
    assert api.state().billed_calls > 2
