"""Texts for two voices: more than two named speakers are refused, everything else is the voice's affair."""

from __future__ import annotations

import io

import pytest
from pydantic import ValidationError

from api_models.dialogue import speakers_named
from api_models.speech import JobRequest
from worker.intake.reader import judge_all
from worker.intake.validation import Defaults

THREE = {
    "each once": "Anna: Hello.\nBen: Hi.\nCora: Well.",
    "repeated": "Talk between friends.\n\nAnna: a\nBen: b\nAnna: c\nCora: d\nBen: e\nCora: f",
    "emphasis": "**Anna:** a\n**Ben:** b\n**Cora:** c",
    "directions": "Anna (sad): a\nBen [loud]: b\nCora: c",
    "Chinese": "李雷：你好\n韩梅梅：好\n老师：早",
    "Cyrillic": "Анна: а\nИван: б\nПётр: в",
}
TWO = {
    "two": "Anna: Hello.\nBen: Hi.\nAnna: Well.",
    "case": "Anna: a\nBEN: b\nANNA: c\nBen: d",
    "notes": "Style: calm\nPace: slow\nAnna: a\nBen: b\nAnna: c\nBen: d",
    "prose": "Anna: I said: no.\nBen: Note this.\nThe end: once.\nIt rained.\nAnna: Yes.\nBen: No.",
    "prompt": "Read this conversation between Joe and Jane as in a cafe:\nJoe: a\nJane: b\nJoe: c",
    "addresses": "Anna: see https://example.org\nBen: at 10:30\nAnna: ok\nBen: ok",
    "one": "Anna: Hello.\nAnna: Hello again.",
    "none": "It rained. The list: rain, wind, rain.",
}


@pytest.mark.parametrize("text", THREE.values(), ids=THREE)
def test_three_speakers_need_a_cast(text: str) -> None:
    assert len(speakers_named(text)) == 3
    with pytest.raises(ValidationError, match="a call has two voices, and the text names 3 speakers"):
        JobRequest(text=text, voice_1="Kore", voice_2="Puck")
    assert JobRequest(text=text, voice_1="Kore").voice_2 is None


@pytest.mark.parametrize("text", TWO.values(), ids=TWO)
def test_two_speakers_and_fewer_are_accepted(text: str) -> None:
    assert len(speakers_named(text)) <= 2
    assert JobRequest(text=text, voice_1="Kore", voice_2="Puck").voice_2 == "Puck"


def test_a_sheets_row_is_refused_with_its_line() -> None:
    """By the default voices of the command as well as by the row's own."""
    rows = 'text,voice_2\n"Anna: a\nBen: b",Puck\n"Anna: a\nBen: b\nCora: c",Puck\n'
    (fault,) = judge_all(io.BytesIO(rows.encode())).faults
    assert (fault.line, fault.field) == (4, "voice_2")
    rows = 'text\n"Anna: a\nBen: b\nCora: c"\n'
    (fault,) = judge_all(io.BytesIO(rows.encode()), defaults=Defaults(voice_1="Kore", voice_2="Puck")).faults
    assert "submit it as a script" in fault.message
