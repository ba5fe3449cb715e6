"""JSON Lines and plain text. Stricter than `json`: no NaN and no duplicate keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NoReturn

from api_models.hints import printable, quoted
from api_models.problems import Fault
from worker.intake.block import Line, Parsed, Record
from worker.intake.header import TEXT, Header, WholeFault
from worker.intake.objects import Objects
from worker.intake.sheet_options import AS_IT_IS, SheetOptions


def parse_text(lines: Iterable[Line]) -> Parsed:
    for number, text in lines:
        if words := text.strip():
            yield Record(number, number, {TEXT: words})


MAX_CONTAINERS: Final = 10_000
"""Brackets of one line. Python parses JSON without releasing its lock, and lists cost most."""
MAX_KEYS: Final = 1_000
"""Keys of one line; each unknown one is an error."""
_EXAMPLE: Final = 'a line is one object such as {"text": "Hello."}'


class _RepeatedKeyError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class _NotANumberError(ValueError):
    pass


def parse(lines: Iterable[Line], options: SheetOptions = AS_IT_IS) -> Iterator[Header | Record | Fault]:
    objects = Objects(options)
    for number, text in lines:
        if text.isspace():
            continue
        found = _object_of(number, text.rstrip("\r\n"))
        if isinstance(found, Fault):
            yield found
            continue
        for item in objects.records(number, found):
            yield item
            if isinstance(item, WholeFault) and item.field is None:
                return


def _object_of(number: int, text: str) -> dict[str, Any] | Fault:
    if text.count("[") + text.count("{") > MAX_CONTAINERS:
        return Fault(line=number, message=f"has more than {MAX_CONTAINERS:,} brackets; {_EXAMPLE}")
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        return Fault(line=number, message=_syntax(error))
    except _RepeatedKeyError as error:
        return Fault(
            line=number, field=printable(error.key), message="is given more than once in this object; keep one"
        )
    except _NotANumberError as error:
        return Fault(line=number, message=f"{error} is not a value that JSON has; give a number, or leave the key out")
    except (RecursionError, ValueError):  # lists in lists in lists; a number of thousands of digits
        return Fault(line=number, message=f"holds a value no job can use; {_EXAMPLE}")
    return _checked(number, value)


def _checked(number: int, value: object) -> dict[str, Any] | Fault:
    if not isinstance(value, dict):
        return Fault(line=number, message=f"is {kind_of(value)}, not an object; {_EXAMPLE}")
    if len(value) > MAX_KEYS:
        return Fault(line=number, message=f"has more than {MAX_KEYS:,} keys; {_EXAMPLE}")
    return value


def _syntax(error: json.JSONDecodeError) -> str:
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string"):
        return f"is not JSON: it ends before the object does (column {error.colno}); {_EXAMPLE}"
    what = error.msg[:1].lower() + error.msg[1:]
    found = quoted(error.doc[error.pos : error.pos + 12])
    return f"is not JSON: {what} at column {error.colno}, found {found}; {_EXAMPLE}"


def repeated_key(error: Exception) -> str | None:
    return quoted(error.key) if isinstance(error, _RepeatedKeyError) else None


def kind_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "a number"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RepeatedKeyError(key)
            seen.add(key)
    return made


def _refuse(constant: str) -> NoReturn:
    raise _NotANumberError(constant)


DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse)
