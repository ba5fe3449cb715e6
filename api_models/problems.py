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
_OBJECT: Final = "must be an object"
_ID: Final = "must be an id, such as 01926d3a-1c1f-7c4e-9c1b-0d6f0a4b7e55"
_TRUTH: Final = "must be true or false"
_DAY: Final = "must be a day, such as 2026-12-31"
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
    "date_type": _DAY,
    "date_parsing": _DAY,
    "date_from_datetime_parsing": _DAY,
    "date_from_datetime_inexact": _DAY,
    "frozen_set_type": "must be a list",
    "timezone_aware": _TIME,
    "model_type": _OBJECT,
    "greater_than": "must be over {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be under {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entries, and has {actual_length}",
    "too_long": "must have at most {max_length} entries",
    "dict_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "json_invalid": "is not JSON",
    "json_type": "is not JSON",
    "uuid_type": _ID,
    "uuid_parsing": _ID,
    "decimal_max_digits": "has more than {max_digits} digits",
    "decimal_max_places": "has more than {decimal_places} decimal places",
    "decimal_whole_digits": "has more than {whole_digits} digits before the point",
    "multiple_of": "must be a multiple of {multiple_of}",
    "datetime_object_invalid": _TIME,
    "timezone_naive": _TIME,
    "path_type": "must be a path",
    "url_parsing": "must be an address such as https://example.com/path",
    "none_required": "must be null",
    "value_error": "{error}",
}
"""Plain messages for pydantic's error types; `{…}` comes from the error's context."""


_PATTERNS: Final[Mapping[str, str]] = {
    r"^[^\x00-\x1f\x7f]*$": "must not contain line breaks or control characters",
    r"^[^\x00]*$": "must not contain a NUL character",
    r"^https?://": "must begin with https:// or http://",
    r"^(file:///|s3://[^/]+)": "must begin with s3://BUCKET or file:///",
    r"^[A-Z0-9_]{1,40}$": "must be capital letters, digits and underscores, such as STANDARD_IA",
    r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$": (
        "must be 1 to 64 letters, digits or any of _ . : - and begin with a letter or digit"
    ),
    r"^whsec_": "must begin with whsec_",
    r"^[A-Za-z][A-Za-z0-9-]{0,63}$": "must be 1 to 64 letters, digits or hyphens, and begin with a letter",
    r"^[A-Za-z0-9._~+/=:-]+( [A-Za-z0-9._~+/=:-]+)*$": "must be letters, digits and . _ ~ + / = : - with single spaces",
}
"""Plain messages for the patterns of our models."""
_MALFORMED: Final = "is not in the required form"


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
    if entry["type"] == "string_pattern_mismatch":
        return _PATTERNS.get(str(entry.get("ctx", {}).get("pattern")), _MALFORMED)
    if template := _PLAIN_WORDS.get(entry["type"]):
        return template.format_map({name: _shown(value) for name, value in entry.get("ctx", {}).items()})
    # What remains are our own errors, and types that no field of ours has.
    message = str(entry["msg"])
    return _MALFORMED if message.startswith(("Input should", "Value ", "URL ", "Unable ")) else message


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
