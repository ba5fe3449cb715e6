"""Faults read as plain sentences, whatever found them."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from api_models.hints import QUOTED_CHARACTERS, closest, did_you_mean, printable, quoted
from api_models.problems import Fault, InvalidInputError, faults_of


class Sample(BaseModel):
    """One field for each kind of finding."""

    model_config = ConfigDict(extra="forbid")

    whole: Annotated[int, Field(gt=0, le=10)] = 1
    real: Annotated[float, Field(ge=0.5, lt=2)] = 1.0
    truth: bool = True
    word: Annotated[str, Field(pattern="^a")] = "a"
    choice: Literal["x", "y"] = "x"
    moment: AwareDatetime | None = None
    parts: dict[str, int] = {}
    picky: int = 0

    @field_validator("picky")
    @classmethod
    def _never(cls, value: int) -> int:
        raise ValueError(f"is {value}, which is not liked")


def found(**fields: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate(fields)
    return [str(fault) for fault in faults_of(caught.value, known=Sample.model_fields)]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("whole", "many", "whole: must be a whole number"),
        ("whole", 1.5, "whole: must be a whole number"),
        ("whole", None, "whole: must be a whole number"),
        ("whole", "9" * 5_000, "whole: has too many digits"),
        ("whole", 0, "whole: must be over 0"),
        ("whole", 11, "whole: must be at most 10"),
        ("real", "much", "real: must be a number"),
        ("real", 0.25, "real: must be at least 0.5"),
        ("real", 2, "real: must be under 2"),
        ("truth", "perhaps", "truth: must be true or false"),
        ("word", 1, "word: must be text"),
        ("word", "b", "word: is not in the required form"),
        ("choice", "z", "choice: must be 'x' or 'y'"),
        ("moment", "soon", "moment: must be a time with its zone, such as 2026-12-01T08:00:00Z"),
        ("moment", "2026-12-01T08:00", "moment: must be a time with its zone, such as 2026-12-01T08:00:00Z"),
        ("parts", [], "parts: must be an object"),
        ("parts", {"a": "b"}, "parts.a: must be a whole number"),
        ("picky", 3, "picky: is 3, which is not liked"),
        ("chioce", "x", 'chioce: is not a known field; did you mean "choice"?'),
        ("zzz", "x", "zzz: is not a known field; remove it or mend its spelling"),
    ],
)
def test_faults_are_described_without_jargon(field: str, value: object, expected: str) -> None:
    """No message speaks of inputs, parsing or types as pydantic names them."""
    assert found(**{field: value}) == [expected]


def test_a_field_that_is_missing_says_so() -> None:
    """The most frequent finding of all."""

    class Needy(BaseModel):
        need: int

    with pytest.raises(ValidationError) as caught:
        Needy.model_validate({})
    assert faults_of(caught.value, line=4) == [Fault(line=4, field="need", message="is missing")]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(line=3, field="text", message="is empty"), "line 3, text: is empty"),
        (Fault(line=3, message="is empty"), "line 3: is empty"),
        (Fault(field="text", message="is empty"), "text: is empty"),
        (Fault(message="is empty"), "is empty"),
    ],
)
def test_a_fault_says_where(fault: Fault, expected: str) -> None:
    """Line and field stand in front, as far as they are known."""
    assert str(fault) == expected


def test_an_error_names_its_source_and_counts() -> None:
    """The first fault is shown, the others are counted, including those that were not kept."""
    faults = [Fault(line=n, message="is empty") for n in (1, 2)]
    assert str(InvalidInputError("a.csv", faults[:1])) == "a.csv: line 1: is empty"
    assert str(InvalidInputError("a.csv", faults)) == "a.csv: line 1: is empty (and 1 more)"
    error = InvalidInputError("a.csv", faults, total=1_500)
    assert str(error) == "a.csv: line 1: is empty (and 1,499 more)"
    assert (error.total, error.unshown, len(error.faults)) == (1_500, 1_498, 2)


def test_a_quoted_value_is_short_and_printable() -> None:
    """Neither control characters nor halves of characters reach a terminal; long values are cut."""
    assert quoted("a\x1b[31m\nb") == '"a\\u001b[31m\\nb"'
    assert quoted("a\ud83d") == '"a\\ud83d"'
    assert quoted("é") == '"é"'
    assert quoted(None) == "null"
    assert len(quoted("x" * 1_000)) == QUOTED_CHARACTERS
    assert quoted("x" * 1_000).endswith('x…"')
    assert quoted(10**5_000) == "that int"
    assert printable("a\nb") == "a\\nb"


def test_the_name_that_was_meant_is_found() -> None:
    """Case and a slip of a finger don't matter; a stranger gets no suggestion."""
    choices = ["Kore", "Puck"]
    assert closest("KORE", choices) == closest("Kori", choices) == "Kore"
    assert did_you_mean("pukc", choices) == '; did you mean "Puck"?'
    assert did_you_mean("Bob", choices) == ""
