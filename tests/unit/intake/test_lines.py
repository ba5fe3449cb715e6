"""JSON Lines: what is taken, and what is said of what can't be."""

from __future__ import annotations

import io
import json

import pytest

from tests.unit.intake_outcomes import faults_of, names_of, requests_of
from worker.intake.kinds import Kind
from worker.intake.reader import read_all

EXAMPLE = 'a line is one object such as {"text": "Hello."}'


def test_an_object_fills_the_fields_its_keys_name() -> None:
    """Numbers are numbers, null and blank text mean not given, blank lines are skipped."""
    (request,) = requests_of(
        '\n  \n{"text": "Hello.", "custom_id": 7, "voice_1": null, "voice_2": "", "temperature": 0, "priority": 2}\n',
        Kind.JSONL,
    ).values()
    assert request.body() == {"text": "Hello.", "temperature": 0.0}
    assert (request.custom_id, request.priority) == ("7", 2)


def test_line_separators_of_unicode_do_not_end_a_line() -> None:
    """JSON may hold U+2028 and its like unescaped; only line feeds and carriage returns count."""
    assert names_of('{"text": "a\u2028b\x85c"}\n{"text": "d"}\n', Kind.JSONL) == {1: "0001", 2: "0002"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[1]", f": is a list, not an object; {EXAMPLE}"),
        ('"Hello."', f": is a text, not an object; {EXAMPLE}"),
        ("3", f": is a number, not an object; {EXAMPLE}"),
        ("null", f": is null, not an object; {EXAMPLE}"),
        ("true", f": is true or false, not an object; {EXAMPLE}"),
        ('{"text": "a", "text": "b"}', ", text: is given more than once in this object; keep one"),
        (
            '{"text": "a", "temperature": NaN}',
            ": NaN is not a value that JSON has; give a number, or leave the key out",
        ),
        (
            '{"text": "a", "temperature": -Infinity}',
            ": -Infinity is not a value that JSON has; give a number, or leave the key out",
        ),
        (
            "{'text': 'a'}",
            (
                ": is not JSON: expecting property name enclosed in double quotes at column 2, found "
                f"\"'text': 'a'}}\"; {EXAMPLE}"
            ),
        ),
        ('{"text": "a"} x', f': is not JSON: extra data at column 15, found "x"; {EXAMPLE}'),
        ('{"text": "a"', f": is not JSON: it ends before the object does (column 13); {EXAMPLE}"),
        ('{"text": "a', f": is not JSON: it ends before the object does (column 10); {EXAMPLE}"),
        ('{"text": null}', ", text: must be text"),
        ('{"voice_1": "Kore"}', ", text: is missing"),
        (
            '{"text": "a", "voice_l": 1}',
            ', voice_l: is not a known key; did you mean "voice_2"? If not, carry it along: --ignore-column voice_l',
        ),
        ('{"text": "a", "voice_1": ["Kore"]}', ", voice_1: must be text"),
        ('{"text": "a\\ud83d"}', ", text: contains half of a surrogate pair; write the whole character"),
    ],
)
def test_a_fault_of_a_line(line: str, expected: str) -> None:
    """One line, one fault, with its place and an example of what would be right."""
    assert faults_of('{"text": "Fine."}\n' + line + "\n", Kind.JSONL) == [f"line 2{expected}"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        pytest.param('{"text": "a", "priority": ' + "9" * 5_000 + "}", "holds a value no job can use", id="number"),
        pytest.param("[" * 100_000, "has more than 10,000 brackets", id="list"),
    ],
)
def test_lines_that_break_the_parser(line: str, fault: str) -> None:
    """What json itself refuses to take is a fault like any other."""
    assert faults_of(line + "\n", Kind.JSONL) == [f"line 1: {fault}; {EXAMPLE}"]


def test_all_faults_of_all_lines_are_reported() -> None:
    """One round of mending is enough."""
    found = faults_of('{"text": "", "voice_1": "Kori", "priority": "x"}\n{\n{"text": "fine"}\n[]\n', Kind.JSONL)
    assert [fault.partition(":")[0] for fault in found] == [
        "line 1, text",
        "line 1, voice_1",
        "line 1, priority",
        "line 2",
        "line 4",
    ]


def test_keys_that_are_no_fields_are_carried_along() -> None:
    """Also with characters that no file can hold, which are replaced."""
    (row,) = read_all(io.BytesIO(b'{"text": "a", "n\\ud83d": "x\\u0000\\ud83d", "m": {"k": [1]}}\n'), kind=Kind.JSONL)
    assert json.loads(row.extra or "") == {"n?": "x?", "m.k": "[1]"}
