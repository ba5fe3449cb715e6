"""`--clean`, and SSML as documents: breaks are silence, exact to the millisecond; voices change by part."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.integration.cli.test_documents import api, write_sheet
from tests.terminal import Ttsq
from worker.emulator.server import Emulator

__all__ = ["api"]

TALK = (
    '<speak>\n<p>The ferry leaves at ten past four.<break time="750ms"/>The crew is never late.</p>\n'
    '<voice name="Puck">The <sub alias="British Broadcasting Corporation">BBC</sub> says so.</voice>\n</speak>\n'
)


def test_a_break_is_silence_to_the_millisecond(ttsq: Ttsq, api: Emulator) -> None:
    """Captions show the original words; another length of the break makes a new recording, and buys nothing."""
    Path("talk.ssml").write_text(TALK, encoding="utf-8")
    command = ("run", "talk.ssml", "--out", "talk.wav", "--captions", "json", "--voice", "Kore", "--yes", "--json")
    shown = ttsq(*command)
    assert shown.code == 0, shown.err
    assert api.state().billed_calls == 3
    cues = json.loads(Path("talk.json").read_text(encoding="utf-8"))
    assert [cue["text"] for cue in cues][2] == "The BBC says so."
    assert cues[1]["start"] - cues[0]["end"] == pytest.approx(0.75, abs=0.002)
    samples, rate = soundfile.read("talk.wav")
    pause = samples[round((cues[0]["end"] + 0.15) * rate) : round((cues[1]["start"] - 0.1) * rate)]
    assert np.abs(pause).max() < 0.01

    Path("talk.ssml").write_text(TALK.replace("750ms", "2s"), encoding="utf-8")
    again = ttsq(*command)
    assert (again.code, api.state().billed_calls) == (0, 3), again.err
    cues = json.loads(Path("talk.json").read_text(encoding="utf-8"))
    assert cues[1]["start"] - cues[0]["end"] == pytest.approx(2.0, abs=0.002)


def test_rows_are_cleaned_on_request(ttsq: Ttsq, api: Emulator) -> None:
    """The quote says how many; a row with breaks becomes parts, its neighbours one call each."""
    others = (("b", "Fish &amp; <b>chips</b> today."), ("c", "Plain words."))
    write_sheet(("a", 'One and two. <break time="1s"/> And three.'), *others)
    command = ("sheet.csv", "--clean", "auto", "--json")
    quoted = ttsq("quote", *command)
    assert quoted.data["calls"] == 4
    assert "Cleaned of markup: 2 texts" in quoted.err
    shown = ttsq("run", *command, "--yes")

    assert (shown.code, shown.data["succeeded"], api.state().billed_calls) == (0, 3, 4), shown.err
    assert ttsq("jobs", "show", "b", "--json").data["spoken_text"] == "Fish & chips today."
    assert ttsq("jobs", "show", "c", "--json").data["spoken_text"] is None
    before = soundfile.info("audio/sheet/a.wav").duration
    write_sheet(("a", 'One and two. <break time="3s"/> And three.'), *others)
    again = ttsq("run", *command, "--yes")
    assert (again.code, api.state().billed_calls) == (0, 4), again.err
    assert soundfile.info("audio/sheet/a.wav").duration - before == pytest.approx(2.0, abs=0.002)


def test_faulty_markup_is_refused_before_anything_is_bought(ttsq: Ttsq, api: Emulator) -> None:
    """The line of the sheet, and the place in its text."""
    write_sheet(("a", "Fine."), ("b", "Not <brake/> fine."))
    shown = ttsq("run", "sheet.csv", "--clean", "ssml", "--yes")
    Path("bad.ssml").write_text("<speak>\n<p>Hello.</speak>", encoding="utf-8")
    document = ttsq("run", "bad.ssml", "--out", "bad.mp3", "--yes")

    assert 'line 3, text: line 1, column 5: no element <brake>; did you mean "break"?' in shown.err
    assert "line 2, column 12: a tag is closed here, but <p> of line 2, column 1 is still open" in document.err
    assert shown.code == document.code != 0
    assert api.state().billed_calls == 0
