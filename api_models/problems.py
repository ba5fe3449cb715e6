"""Faults of an input, with place and remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from api_models.hints import did_you_mean, printable

MAX_HINTS: Final = 10
"""Unknown fields compared with known ones per input; each comparison takes about a millisecond."""

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
"""Plain messages for pydantic's error types; `{…}` comes from the error's context."""


class Fault(BaseModel):
    """One fault of an input."""

    model_config = ConfigDict(frozen=True)

    line: int | None = None
    """Line number from 1, as in an editor; None for a fault of the whole input."""
    field: str | None = None
    """The column or key."""
    message: str
    """The error and its remedy."""
    place: str | None = None
    """Position for display, if a line number does not suffice: a row of a sheet, or an item of a list."""

    def __str__(self) -> str:
        where = [self.place or f"line {self.line}"] if self.line is not None else []
        where += [self.field] if self.field else []
        return f"{', '.join(where)}: {self.message}" if where else self.message


class InvalidInputError(ValueError):
    """The input is invalid. Nothing was stored or bought."""

    def __init__(self, source: str, faults: Sequence[Fault], total: int | None = None) -> None:
        """`source` names the input (a path, or "standard input").

        `faults` are those to show; `total` counts all of them.
        """
        self.source = source
        self.faults = tuple(faults)
        self.total = len(self.faults) if total is None else total
        first = f"{source}: {self.faults[0]}" if self.faults else source
        super().__init__(f"{first} (and {self.total - 1:,} more)" if self.total > 1 else first)

    @property
    def unshown(self) -> int:
        """Faults counted but not kept."""
        return self.total - len(self.faults)


def faults_of(error: ValidationError, line: int | None = None, known: Iterable[str] = ()) -> list[Fault]:
    """Convert pydantic's errors to faults in plain language. `known` are field names to suggest."""
    return faults_of_errors(error.errors(include_url=False, include_input=False), line, known)


def faults_of_errors(
    entries: Iterable[Mapping[str, Any]], line: int | None = None, known: Iterable[str] = ()
) -> list[Fault]:
    """As `faults_of`, from a list of pydantic's errors."""
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
