"""What is wrong with an input, said so that the reader can mend it: where, what, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from api_models.hints import did_you_mean, printable

MAX_HINTS: Final = 10
"""Unknown fields of one input that are compared with the known ones: each comparison takes about a millisecond."""

_WHOLE_NUMBER: Final = "must be a whole number"
_NUMBER: Final = "must be a number"
_TRUTH: Final = "must be true or false"
_TIME: Final = "must be a time with its zone, such as 2026-12-01T08:00:00Z"

_PLAIN_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "string_type": "must be text",
    "string_unicode": "contains half of a surrogate pair; write the whole character",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "int_parsing_size": "has too many digits",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "timezone_aware": _TIME,
    "model_type": "must hold fields with their values",
    "greater_than": "must be over {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be under {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must match {pattern}",
    "value_error": "{error}",
}
"""pydantic's kinds of errors, each in words that need no knowledge of pydantic; `{…}` comes from its context."""


class Fault(BaseModel):
    """One thing that is wrong in one place of an input."""

    model_config = ConfigDict(frozen=True)

    line: int | None = None
    """The line of the input, counted from 1 as an editor shows it; None for a fault of the whole."""
    field: str | None = None
    """The column or key at fault."""
    message: str
    """What is wrong, and the remedy."""
    place: str | None = None
    """Where it is, for people, where that isn't simply the line: a row of one sheet of several, an item of a list."""

    def __str__(self) -> str:
        where = [self.place or f"line {self.line}"] if self.line is not None else []
        where += [self.field] if self.field else []
        return f"{', '.join(where)}: {self.message}" if where else self.message


class InvalidInputError(ValueError):
    """The input can't be taken as it stands. Nothing of it was stored and nothing spent."""

    def __init__(self, source: str, faults: Sequence[Fault], total: int | None = None) -> None:
        """`source` names the input for the reader (a path, or "standard input").

        `faults` are those worth showing; `total` counts them all where there are more.
        """
        self.source = source
        self.faults = tuple(faults)
        self.total = len(self.faults) if total is None else total
        first = f"{source}: {self.faults[0]}" if self.faults else source
        super().__init__(f"{first} (and {self.total - 1:,} more)" if self.total > 1 else first)

    @property
    def unshown(self) -> int:
        """How many faults were counted but not kept."""
        return self.total - len(self.faults)


def faults_of(error: ValidationError, line: int | None = None, known: Iterable[str] = ()) -> list[Fault]:
    """pydantic's findings as faults, with pydantic's own jargon turned into plain words.

    `known` are the names of fields that a misspelt one may have meant.
    """
    return faults_of_errors(error.errors(include_url=False, include_input=False), line, known)


def faults_of_errors(
    entries: Iterable[Mapping[str, Any]], line: int | None = None, known: Iterable[str] = ()
) -> list[Fault]:
    """The same, for whoever has pydantic's findings without its error."""
    faults = []
    hints = MAX_HINTS
    for entry in entries:
        unknown = entry["type"] == "extra_forbidden"
        faults.append(Fault(line=line, field=_field(entry["loc"]), message=_message(entry, known if hints else ())))
        hints -= unknown and hints > 0
    return faults


def _field(location: tuple[int | str, ...]) -> str | None:
    return printable(".".join(map(str, location))) or None


def _message(entry: Mapping[str, Any], known: Iterable[str]) -> str:
    if entry["type"] == "extra_forbidden":
        hint = did_you_mean(str(entry["loc"][-1]), known) or "; remove it or mend its spelling"
        return f"is not a known field{hint}"
    if template := _PLAIN_WORDS.get(entry["type"]):
        return template.format_map({name: _shown(value) for name, value in entry.get("ctx", {}).items()})
    message = str(entry["msg"])
    return f"must be{tail}" if (tail := message.removeprefix("Input should be")) != message else message


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
