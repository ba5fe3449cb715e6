"""Captions of recordings: every sentence once, in order, readable, in formats that others read."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pysubs2
import pytest

from tests.unit.documents.test_join import PLAIN, speech, write
from tests.unit.documents.test_plan import LANGUAGES, TEXTS
from worker.documents.captions import formats
from worker.documents.captions.cues import Cue, TimeSource, sentence_cues
from worker.documents.captions.layout import captions, rules_for, wrapped
from worker.documents.join.assembly import Assembly, assemble
from worker.documents.plan.duration import seconds
from worker.documents.plan.plan import Gap


def cues_of(text: str, start: float = 0.0) -> list[Cue]:
    return [Cue(start, start + seconds(text), text, TimeSource.SEAM, 0)]


@pytest.fixture
def assembly(tmp_path: Path) -> Assembly:
    """Two takes of three and two bursts, half a second apart."""
    one = write(tmp_path / "1.wav", speech(2.0, 1.0, 1.5, pause=0.5))
    two = write(tmp_path / "2.wav", speech(1.0, 1.0, pause=0.5))
    return assemble([(one, Gap.PARAGRAPH), (two, Gap.END)], PLAIN)


SPOKEN = ["The ferry leaves at ten past four. It waits. Hurry down there now.", "They ran fast. It left."]


def test_sentences_begin_where_the_pauses_end(assembly: Assembly) -> None:
    cues = sentence_cues(SPOKEN, "en", assembly)
    assert [cue.text for cue in cues] == [
        "The ferry leaves at ten past four.", "It waits.", "Hurry down there now.", "They ran fast.", "It left."
    ]  # fmt: skip
    assert [cue.source for cue in cues] == [
        TimeSource.SEAM, TimeSource.PAUSE, TimeSource.PAUSE, TimeSource.SEAM, TimeSource.PAUSE
    ]  # fmt: skip
    assert cues[1].start == pytest.approx(2.5 + 0.05, abs=0.03)
    assert cues[2].start == pytest.approx(4.0 + 0.05, abs=0.03)
    assert cues[3].start == assembly.seconds(assembly.placed[1].start)
    assert all(before.end <= after.start for before, after in pairwise(cues))


def test_without_a_pause_the_letters_decide(tmp_path: Path) -> None:
    take = write(tmp_path / "1.wav", speech(4.0))
    cues = sentence_cues(["One two three. Four five six."], "en", assemble([(take, Gap.END)], PLAIN))
    assert [cue.source for cue in cues] == [TimeSource.SEAM, TimeSource.ESTIMATE]
    assert cues[1].start == pytest.approx(2.0, abs=0.3)
    assert cues[1].confidence < cues[0].confidence


@pytest.mark.parametrize("language", LANGUAGES)
def test_captions_fit_their_lines_in_every_script(language: str) -> None:
    rules = rules_for(language)
    text = " ".join(TEXTS[language].split())
    shown = captions(cues_of(text), language)
    assert "".join("".join(caption.lines) for caption in shown).replace(" ", "") == text.replace(" ", "")
    for caption in shown:
        assert len(caption.lines) <= rules.lines
        assert all(len(line) <= rules.line_characters for line in caption.lines)
    assert all(before.end <= after.start for before, after in pairwise(shown))


def test_words_longer_than_a_line_stay_whole() -> None:
    assert list(wrapped("Donaudampfschifffahrtsgesellschaftskapitän", 20, "de")) == [
        "Donaudampfschifffahrtsgesellschaftskapitän"
    ]


def test_short_captions_stay_long_enough_to_be_read() -> None:
    cues = [Cue(0.0, 0.3, "Yes.", TimeSource.SEAM, 0), Cue(3.0, 3.2, "No.", TimeSource.SEAM, 1)]
    assert [caption.end - caption.start for caption in captions(cues, "en")] == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_others_read_them(language: str) -> None:
    shown = captions(cues_of(TEXTS[language], 3_599.5), language)
    for name, text in (("srt", formats.srt(shown)), ("vtt", formats.vtt(shown))):
        read = pysubs2.SSAFile.from_string(text, name)
        assert [event.start for event in read] == [round(caption.start * 1000) for caption in shown]
        assert [event.plaintext for event in read] == ["\n".join(caption.lines) for caption in shown]


def test_markup_in_a_text_is_shown_and_not_obeyed() -> None:
    text = formats.vtt(captions(cues_of("a < b & <i>c</i> --> d"), "en"))
    assert "a &lt; b &amp; &lt;i&gt;c&lt;/i&gt; --&gt; d" in text.replace("\n", " ")


def test_chapters_and_cues_are_json(assembly: Assembly) -> None:
    chapters = json.loads(formats.chapters_json([("One", 0.0), ("Zwei, ü", 12.3456)]))
    assert chapters == {
        "version": "1.2.0",
        "chapters": [{"startTime": 0.0, "title": "One"}, {"startTime": 12.346, "title": "Zwei, ü"}],
    }
    cues = json.loads(formats.cues_json(sentence_cues(SPOKEN, "en", assembly)))
    assert {cue["source"] for cue in cues} == {"seam", "pause"}
    assert [cue["part"] for cue in cues] == [0, 0, 0, 1, 1]
