"""Times of parts, sentences and words: in order, complete, and readable by others."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pysubs2
import pytest

from api_models.timings import Timings, TimingsFormat
from tests.unit.documents.test_join import PLAIN, speech, write
from tests.unit.documents.test_plan import LANGUAGES, TEXTS
from worker.documents.captions.cues import Cue, Span, sentence_cues
from worker.documents.captions.layout import captions
from worker.documents.captions.sidecars import rendered
from worker.documents.captions.timeline import Timeline, of_take, timeline
from worker.documents.join.assembly import Assembly, assemble
from worker.documents.plan.plan import Gap

TEXT = "The ferry leaves at ten past four. It waits."


@pytest.fixture
def take(tmp_path: Path) -> Assembly:
    """Two bursts of two seconds and one, half a second apart, behind half a second of silence."""
    return of_take(write(tmp_path / "1.wav", speech(2.0, 1.0, pause=0.5)))


def word(text: str, name: str, start: float, end: float) -> Span:
    at = text.index(name)
    return Span(start, end, at, at + len(name), "aligned", 0.9)


@pytest.mark.parametrize("language", LANGUAGES)
def test_times_are_in_order_and_leave_no_character_out(take: Assembly, language: str) -> None:
    found = timeline([TEXTS[language]], language, take, Timings.WORD)
    data = json.loads(found.encode())
    assert "".join(data["alignment"]["characters"]) == TEXTS[language]
    starts = data["alignment"]["character_start_times_seconds"]
    ends = data["alignment"]["character_end_times_seconds"]
    assert len(starts) == len(ends) == len(TEXTS[language])
    assert starts == sorted(starts)
    assert all(start <= end <= found.seconds for start, end in zip(starts, ends, strict=True))
    for spans in (found.parts, found.sentences, found.words):
        assert spans
        assert all(before.end <= after.start + 1e-9 for before, after in pairwise(spans))


def test_without_words_speech_activity_decides(take: Assembly) -> None:
    found = timeline([TEXT], "en", take, Timings.WORD)
    assert [(span.source, round(span.start, 1)) for span in found.sentences] == [("seam", 0.5), ("pause", 3.0)]
    assert {span.source for span in found.words} == {"estimate"}
    assert found.words[0].start == pytest.approx(0.5, abs=0.05)
    assert found.words[-1].end == pytest.approx(4.0, abs=0.05)


def test_words_that_were_heard_come_first(take: Assembly) -> None:
    heard = [word(TEXT, "ferry", 0.9, 1.2), word(TEXT, "four", 2.1, 2.4), word(TEXT, "waits", 3.4, 3.9)]
    found = timeline([TEXT], "en", take, Timings.WORD, {0: heard})
    assert list(found.words) == heard
    assert [(span.start, span.end, span.source) for span in found.sentences] == [
        (0.9, 2.4, "aligned"), (3.4, 3.9, "aligned")
    ]  # fmt: skip


def test_words_of_parts_move_with_their_parts(tmp_path: Path) -> None:
    takes = [write(tmp_path / f"{n}.wav", speech(1.0, 1.0)) for n in range(2)]
    assembly = assemble([(takes[0], Gap.PARAGRAPH), (takes[1], Gap.END)], PLAIN)
    second = assembly.placed[1]
    heard = {1: [word(TEXT, "ferry", 0.8, 1.0), word(TEXT, "waits", 1.9, 2.2)]}
    at = assembly.seconds(second.start - second.cut[0])
    cues = sentence_cues([TEXT, TEXT], "en", assembly, heard)
    assert [cue.source for cue in cues] == ["seam", "pause", "aligned", "aligned"]
    assert (cues[2].start, cues[3].end) == pytest.approx((at + 0.8, at + 2.2))
    found = timeline([TEXT, TEXT], "en", assembly, Timings.WORD, heard)
    spoken = found.words[-1]
    assert found.text[spoken.char_start : spoken.char_end] == "waits"


def test_a_sentence_that_was_not_heard_lies_between_the_others(take: Assembly) -> None:
    text = "It waits. Rain comes. They left."
    heard = [word(text, "waits", 0.6, 1.0), word(text, "left", 3.2, 3.6)]
    middle = timeline([text], "en", take, Timings.SENTENCE, {0: heard}).sentences[1]
    assert middle.source == "estimate"
    assert 1.0 <= middle.start <= middle.end <= 3.2


@pytest.mark.parametrize(("level", "counts"), [("part", (1, 0, 0)), ("sentence", (1, 2, 0)), ("word", (1, 2, 9))])
def test_the_level_decides_what_is_kept(take: Assembly, level: str, counts: tuple[int, int, int]) -> None:
    found = timeline([TEXT], "en", take, Timings(level))
    assert (len(found.parts), len(found.sentences), len(found.words)) == counts


def test_what_is_stored_is_read_back(take: Assembly) -> None:
    found = Timeline.decode(timeline([TEXT], "en", take, Timings.WORD).encode())
    assert (found.text, found.language, len(found.words)) == (TEXT, "en", 9)
    for broken in ("", "[]", "{}", '{"text": 1}', '{"parts": [{}]}'):
        with pytest.raises(ValueError, match="not the times"):
            Timeline.decode(broken)


@pytest.mark.parametrize("form", [TimingsFormat.SRT, TimingsFormat.VTT, TimingsFormat.ASS])
def test_others_read_the_captions(take: Assembly, form: TimingsFormat) -> None:
    found = timeline([TEXT], "en", take, Timings.WORD)
    read = pysubs2.SSAFile.from_string(rendered(found, form), str(form))
    assert [event.plaintext for event in read] == ["The ferry leaves at ten past four.", "It waits."]
    assert [event.start for event in read] == pytest.approx([span.start * 1000 for span in found.sentences], abs=6)


def test_markup_in_a_text_is_shown_and_not_obeyed() -> None:
    cues = [Cue(0.0, 2.0, r"a {\b1}b\Nc", "seam", 0)]
    assert captions(cues, "en")
    text = rendered(Timeline(cues[0].text, "en", 2.0, (Span(0.0, 2.0, 0, 11, "seam", 1.0),)), TimingsFormat.ASS)
    line = text.splitlines()[-1].rpartition(",,")[2]
    assert line == "a \\{\\\u2060b1\\}b\\\u2060Nc"
