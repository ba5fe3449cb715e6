"""Every job has a name of its own, from which its audio file gets its own."""

from __future__ import annotations

import pytest

from api_models.problems import Fault
from tests.unit.intake_outcomes import faults_of, names_of
from worker.intake.custom_ids import Names
from worker.intake.kinds import Kind


def test_jobs_without_a_name_are_named_after_their_lines() -> None:
    """Four digits, the header being line 1; given names stay."""
    assert names_of("text,custom_id\nOne.,\nTwo.,intro\nThree.,\n", Kind.CSV) == {2: "0002", 3: "intro", 4: "0004"}


@pytest.mark.parametrize(("lines", "name"), [(9_999, "0007"), (10_000, "00007"), (1_000_000, "0000007")])
def test_the_file_decides_how_many_digits(lines: int, name: str) -> None:
    """Names sort as the lines do."""
    assert Names(lines).give(7) == name


def test_a_long_file_gets_wider_names() -> None:
    """The width is known before the first row is handed on."""
    assert names_of("a\n" * 10_000, Kind.PLAIN)[1] == "00001"


def test_a_name_given_twice_is_a_fault() -> None:
    """The fault names the line that had it first, every time."""
    assert faults_of("custom_id,text\na,One.\nb,Two.\na,Three.\na,Four.\n", Kind.CSV) == [
        'line 4, custom_id: "a" is already the name of line 2; every job needs its own',
        'line 5, custom_id: "a" is already the name of line 2; every job needs its own',
    ]


@pytest.mark.parametrize(("one", "two"), [("intro", "Intro"), ("STRASSE", "Straße"), ("é", "e\u0301")])
def test_names_that_are_one_file_elsewhere_are_a_fault(one: str, two: str) -> None:
    """macOS and Windows ignore case, macOS also how accents are composed."""
    assert faults_of(f"custom_id,text\n{one},One.\n{two},Two.\n", Kind.CSV) == [
        f'line 3, custom_id: "{two}" would overwrite "{one}" of line 2 where file names ignore case; rename one'
    ]


def test_a_given_name_never_meets_a_line_number() -> None:
    """In whichever order the two come."""
    assert faults_of("custom_id,text\n,One.\n0002,Two.\n0005,Three.\n,Four.\n", Kind.CSV) == [
        'line 3, custom_id: "0002" is what line 2 is named after its number; choose another',
        'line 5, custom_id: would be named "0005" by its line, but line 4 has that name; rename one',
    ]


@pytest.mark.parametrize("name", ["2", "002", "00002", "+002", "٠٠٠٢"])
def test_a_number_of_another_form_is_free(name: str) -> None:
    """Only the very name of a line is taken."""
    names = Names(10)
    names.give(2)
    assert names.claim(name, 3) is None


def test_a_faulty_row_keeps_its_name() -> None:
    """So that a second use of it is found in the same round."""
    assert faults_of("custom_id,text,voice_1\na,One.,Bob\na,Two.,Kore\n,Three.,Bob\n0004,Four.,Kore\n", Kind.CSV) == [
        'line 2, voice_1: no voice "Bob" (`ttsq voices` lists all 30)',
        'line 3, custom_id: "a" is already the name of line 2; every job needs its own',
        'line 4, voice_1: no voice "Bob" (`ttsq voices` lists all 30)',
        'line 5, custom_id: "0004" is what line 4 is named after its number; choose another',
    ]


def test_an_unusable_name_is_one_fault() -> None:
    """It isn't blamed for being used twice as well."""
    found = faults_of("custom_id,text\na/b,One.\na/b,Two.\n", Kind.CSV)
    assert found == [f'line {line}, custom_id: "a/b" contains /; the audio file is named after it' for line in (2, 3)]


def test_numbers_of_json_are_names() -> None:
    """7 and "7" are the same name."""
    assert faults_of('{"text": "a", "custom_id": 7}\n{"text": "b", "custom_id": "7"}\n', Kind.JSONL) == [
        'line 2, custom_id: "7" is already the name of line 1; every job needs its own'
    ]


def test_a_taken_name_is_a_value() -> None:
    """Neither giving nor claiming raises."""
    names = Names(10)
    assert names.claim("0003", 1) is None
    assert isinstance(names.give(3), Fault)
