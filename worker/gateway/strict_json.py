"""Strict parsing of JSON and queries: ambiguous input is rejected, with all errors at once."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from api_models.hints import did_you_mean, printable, quoted
from api_models.http_problems import Trouble
from api_models.problems import MAX_HINTS, Fault, faults_of
from worker.gateway import json_strides
from worker.gateway.problems import MAX_FAULTS, ProblemError, invalid

MAX_DEPTH: Final = 64
MAX_DIGITS: Final = 400
MAX_CONTAINERS: Final = 50_000
"""Lists and objects of a body. Python parses JSON without releasing its lock: 50,000 empty lists take 40 ms."""
MAX_BRACKETS: Final = 1_000_000
"""As above, counting those inside strings, each of which is looked at."""
MAX_STRINGS: Final = 500_000
MAX_KEYS: Final = 10_000
"""Keys of one object."""
INLINE_BYTES: Final = 4 * 1024
"""Longer bodies are parsed in a thread, so that the event loop is never blocked for long."""

_STRUCTURE: Final = re.compile(r'[\[\]{}"]')

_Model = TypeVar("_Model", bound=BaseModel)


class _AmbiguousError(ValueError):
    """A key occurs twice in one object."""


def loads(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a body. Raises ProblemError: it is not UTF-8 JSON, repeats a key, holds NaN or an infinity, or is nested
    too deeply.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"The body is not UTF-8 (byte {error.start}).") from None
    if text.startswith("\ufeff"):
        raise _malformed("The body begins with a byte order mark; remove it.")
    _check_structure(text)
    try:
        return json_strides.decode(text, _DECODER, _object)
    except _AmbiguousError as error:
        raise _malformed(str(error)) from None
    except json_strides.TooLongError as error:
        raise _malformed(f"{error}.") from None
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if isinstance(error, ValueError) else "it is nested too deeply"
        raise _malformed(f"The body is not JSON: {reason}.") from None


def parsed(model: type[_Model], body: bytes, *, context: dict[str, Any] | None = None) -> _Model:
    """Parse the body as this model. Raises ProblemError with every error."""
    return validated(model, loads(body), context=context)


async def parsed_body(model: type[_Model], body: bytes, *, context: dict[str, Any] | None = None) -> _Model:
    """As `parsed`, in a thread unless the body is short."""
    if len(body) <= INLINE_BYTES:
        return parsed(model, body, context=context)
    return await run_in_threadpool(parsed, model, body, context=context)


def validated(model: type[_Model], value: object, *, context: dict[str, Any] | None = None) -> _Model:
    if not isinstance(value, dict):
        raise invalid([Fault(message="must be a JSON object")])
    if faults := too_many_unknown(value, model.model_fields):
        raise invalid(faults, len(value.keys() - model.model_fields.keys()))
    try:
        return model.model_validate(value, context=context)
    except ValidationError as error:
        raise invalid(faults_of(error, known=model.model_fields)) from None


def too_many_unknown(value: Mapping[str, Any], known: Collection[str]) -> list[Fault]:
    """Return the first faults of an object with hundreds of unknown keys, which pydantic would report one by one."""
    if len(value) <= len(known) + MAX_FAULTS:
        return []
    return _unknown((name for name in value if name not in known), known, "is not a known field")


def reject_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Reject a query with unknown parameters: a misspelt filter would match everything."""
    known = list(known)
    unknown = [name for name in dict.fromkeys(given) if name not in known]
    if unknown:
        raise invalid(_unknown(unknown, known, "is not a parameter of this request"), len(unknown))


def _unknown(names: Iterable[str], known: Collection[str], message: str) -> list[Fault]:
    return [
        Fault(field=printable(name), message=message + (did_you_mean(name, known) if number < MAX_HINTS else ""))
        for number, name in zip(range(MAX_FAULTS), names, strict=False)
    ]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_KEYS:
        raise _AmbiguousError(f"An object has more than {MAX_KEYS:,} keys.")
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        repeated = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _AmbiguousError(f"The key {quoted(repeated)} occurs twice in one object.")
    return found


def _constant(name: str) -> NoReturn:
    raise _AmbiguousError(f"{name} is not a number in JSON.")


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _AmbiguousError("The body has a number with too many digits.")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        raise _AmbiguousError("The body has a number that is out of range.")
    return value


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_int, parse_float=_float
)


def _check_structure(text: str) -> None:
    """Raise ProblemError for a body whose structure would be slow to parse, or too deep to handle."""
    brackets = text.count("[") + text.count("{")
    if brackets <= MAX_DEPTH and text.count('"') <= 2 * MAX_STRINGS:
        return
    if brackets > MAX_BRACKETS:
        raise _malformed(f"The body has more than {MAX_CONTAINERS:,} lists and objects or {MAX_STRINGS:,} strings.")
    nesting = _Nesting()
    for piece in json_strides.pieces(text):
        nesting.read(piece.replace("\\\\", "").replace('\\"', "") if "\\" in piece else piece)
        if nesting.deepest > MAX_DEPTH:
            raise _malformed(f"The body is nested more than {MAX_DEPTH} levels deep.")
        if nesting.containers > MAX_CONTAINERS:
            raise _malformed(f"The body has more than {MAX_CONTAINERS:,} lists and objects.")
        if nesting.quotes > 2 * MAX_STRINGS:
            raise _malformed(f"The body has more than {MAX_STRINGS:,} strings.")


@dataclass(slots=True)
class _Nesting:
    """Of a text without escaped quotes that is read piece by piece."""

    containers: int = 0
    deepest: int = 0
    quotes: int = 0
    _depth: int = 0
    _is_inside: bool = False

    def read(self, text: str) -> None:
        self.quotes += text.count('"')
        for found in _STRUCTURE.finditer(text):
            character = found[0]
            if character == '"':
                self._is_inside = not self._is_inside
            elif self._is_inside:
                continue
            elif character in "[{":
                self.containers, self._depth = self.containers + 1, self._depth + 1
                self.deepest = max(self.deepest, self._depth)
            else:
                self._depth -= 1


def _malformed(detail: str) -> ProblemError:
    return ProblemError(Trouble.MALFORMED, detail)
