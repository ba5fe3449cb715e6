"""`ttsq lexicon`, and `--lexicon` with sheets and documents: what is spoken, bought and shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cli.test_documents import api, book, write_sheet
from tests.long_texts import paragraphs
from tests.terminal import Ttsq
from worker.emulator.server import Emulator

__all__ = ["api"]

ROWS = (("a", "Mr Nguyen went to NASA."), ("b", "Nothing happens here."), ("c", "NASA called again today."))


pytestmark = pytest.mark.usefixtures("api", "brand")


@pytest.fixture
def brand(ttsq: Ttsq) -> None:
    assert ttsq("lexicon", "set", "brand", "Nguyen", "--say", "win").code == 0
    assert ttsq("lexicon", "set", "brand", "NASA", "--spell").code == 0


def test_an_edited_rule_buys_exactly_the_rows_that_hold_its_word(ttsq: Ttsq, api: Emulator) -> None:
    """The quote says so before; the job keeps what was written and what was spoken."""
    write_sheet(*ROWS)
    command = ("sheet.csv", "--lexicon", "brand", "--json")
    assert "brand@2: applies at 3 places in 2 texts" in ttsq("quote", *command).err
    first = ttsq("run", *command, "--yes")
    assert first.code == 0, first.err
    assert api.state().billed_calls == len(ROWS)

    assert ttsq("lexicon", "set", "brand", "nguyen", "--say", "nwin").code == 0
    quoted = ttsq("quote", *command).data
    assert (quoted["calls"], quoted["cached"]) == (1, 2)
    second = ttsq("run", *command, "--yes")

    assert (second.code, second.data["succeeded"], second.data["cached"]) == (0, 3, 2), second.err
    assert api.state().billed_calls == len(ROWS) + 1
    job = ttsq("jobs", "show", "a", "--json").data
    assert (job["text"], job["spoken_text"]) == ("Mr Nguyen went to NASA.", "Mr nwin went to N A S A.")


def test_without_a_rule_that_applies_nothing_is_bought_again(ttsq: Ttsq, api: Emulator) -> None:
    """A lexicon doesn't change the content of texts in which none of its words stands."""
    write_sheet(("b", "Nothing happens here."))
    assert ttsq("run", "sheet.csv", "--yes").code == 0
    quoted = ttsq("quote", "sheet.csv", "--fresh", "--lexicon", "brand", "--json")
    again = ttsq("run", "sheet.csv", "--out", "other", "--lexicon", "brand", "--yes", "--json")

    assert "no rule applies" in quoted.err
    assert (again.code, api.state().billed_calls) == (0, 1), again.err


def test_a_column_and_a_file_name_lexicons(ttsq: Ttsq) -> None:
    """A row's own lexicon precedes that of the command, which may be a file."""
    Path("other.csv").write_text("match,say\nNASA,nassa\n", encoding="utf-8")
    Path("sheet.csv").write_text("custom_id,text,lexicon\na,To NASA.,\nb,From NASA.,brand@2\n", encoding="utf-8")
    shown = ttsq("run", "sheet.csv", "--lexicon", "other.csv", "--yes", "--json")

    assert shown.code == 0, shown.err
    found = [ttsq("jobs", "show", name, "--json").data["spoken_text"] for name in ("a", "b")]
    assert found == ["To nassa.", "From N A S A."]


@pytest.mark.parametrize(
    ("lexicon", "expected"),
    [
        ("brnd", 'no lexicon brnd; did you mean "brand"?'),
        ("brand@9", "no lexicon brand@9"),
        ("missing.csv", "can't be read"),
        ("bad.csv", "line 2: has neither say, spell nor as"),
        ("bad.pls", "is not closed"),
    ],
)
def test_an_unusable_lexicon_is_one_error(ttsq: Ttsq, api: Emulator, lexicon: str, expected: str) -> None:
    """Nothing is queued or charged, and the error is said once, whatever the number of rows."""
    Path("bad.csv").write_text("match,say\nx,\n", encoding="utf-8")
    Path("bad.pls").write_text("<lexicon><lexeme>", encoding="utf-8")
    write_sheet(*ROWS)
    shown = ttsq("run", "sheet.csv", "--lexicon", lexicon, "--yes")

    assert shown.code != 0
    assert shown.err.count(expected) == 1, shown.err
    assert api.state().billed_calls == 0


def test_captions_of_a_document_show_the_original_spelling(ttsq: Ttsq, api: Emulator) -> None:
    """The parts speak what the rules say; captions and transcript show what was written."""
    text = f"{paragraphs(2)} Mr Nguyen and his friend left NASA at noon.\n\n{paragraphs(2, first=60)}"
    Path("ferry.md").write_text(book(text), encoding="utf-8")
    command = ("run", "ferry.md", "--out", "ferry.mp3", "--captions", "json", "--captions", "transcript")
    shown = ttsq(*command, "--lexicon", "brand", "--yes", "--json")
    assert shown.code == 0, shown.err
    calls = api.state().billed_calls

    assert "Mr Nguyen and his friend left NASA at noon." in Path("ferry.txt").read_text(encoding="utf-8")
    cues = json.loads(Path("ferry.json").read_text(encoding="utf-8"))
    assert any("Mr Nguyen and his friend left NASA at noon." in str(cue) for cue in cues)
    assert "win" not in Path("ferry.txt").read_text(encoding="utf-8").split()

    assert ttsq("lexicon", "set", "brand", "Nguyen", "--say", "nwin").code == 0
    assert ttsq("quote", *command[1:], "--lexicon", "brand", "--json").data["calls"] == 1
    again = ttsq(*command, "--lexicon", "brand", "--yes", "--json")
    assert (again.code, api.state().billed_calls) == (0, calls + 1), again.err


def test_lexicons_are_listed_shown_exported_and_removed(ttsq: Ttsq) -> None:
    """What no model speaks is listed and kept."""
    Path("w.pls").write_text(
        '<lexicon alphabet="ipa"><lexeme><grapheme>Qatar</grapheme><phoneme>x</phoneme></lexeme>'
        "<lexeme><grapheme>EU</grapheme><alias>Union</alias></lexeme></lexicon>",
        encoding="utf-8",
    )
    imported = ttsq("lexicon", "import", "w.pls", "--json")
    assert (imported.data["version"], imported.data["unapplied"]) == (1, 1), imported.err
    assert "1 rule with phonemes alone, which no model speaks: Qatar" in imported.err
    assert [(one["name"], one["version"]) for one in ttsq("lexicon", "list", "--json").lines] == [
        ("brand", 2),
        ("w", 1),
    ]
    assert "<phoneme>x</phoneme>" in ttsq("lexicon", "export", "w", "--format", "pls").out
    assert ttsq("lexicon", "show", "brand@1", "--json").data["rules"] == [{"match": "Nguyen", "say": "win"}]
    assert ttsq("lexicon", "check", "brand", "Nguyen!", "--json").data["spoken"] == "win!"
    assert ttsq("lexicon", "rm", "brand", "nasa", "--json").data["version"] == 3
    assert ttsq("lexicon", "rm", "brand").code == 0
    assert "no lexicon brand" in ttsq("lexicon", "show", "brand").err


def test_candidates_are_spoken_for_the_ear(ttsq: Ttsq, api: Emulator) -> None:
    """The word as it is written and as each candidate has it; repeated, nothing is bought again."""
    command = ("lexicon", "try", "Nguyen", "--say", "win", "--say", "nwin", "--text", "Mr Nguyen speaks.", "--yes")
    shown = ttsq(*command, "--json")

    assert (shown.code, shown.data["succeeded"], api.state().billed_calls) == (0, 3, 3), shown.err
    found = sorted(path.name for path in Path("audio/try-Nguyen").glob("*.wav"))
    assert found == ["1-Nguyen.wav", "2-win.wav", "3-nwin.wav"]
    assert ttsq("jobs", "show", "2-win", "--json").data["text"] == "Mr win speaks."
    assert (ttsq(*command).code, api.state().billed_calls) == (0, 3)
    assert "doesn't hold" in ttsq("lexicon", "try", "Nguyen", "--say", "win", "--text", "No such word.", "--yes").err
    assert "is no word to try" in ttsq("lexicon", "try", "…", "--yes").err
    assert api.state().billed_calls == 3
