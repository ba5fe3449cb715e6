"""Strict parsing of JSON and queries: ambiguous input is rejected, with all errors at once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from api_models.hints import did_you_mean, printable, quoted
from api_models.http_problems import Trouble
from api_models.problems import Fault, faults_of
from worker.gateway.problems import ProblemError, invalid

MAX_DEPTH: Final = 64
MAX_DIGITS: Final = 400

_Model = TypeVar("_Model", bound=BaseModel)


class _AmbiguousError(ValueError):
    """A key occurs twice in one object."""


def loads(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a body.

    Raises:
        ProblemError: it is not UTF-8 JSON, repeats a key, holds NaN or an infinity, or is nested too deeply.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"The body is not UTF-8 (byte {error.start}).") from None
    if text.startswith("\ufeff"):
        raise _malformed("The body begins with a byte order mark; remove it.")
    if _depth_bound(text) > MAX_DEPTH:
        raise _malformed(f"The body is nested more than {MAX_DEPTH} levels deep.")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_int, parse_float=_float)
    except _AmbiguousError as error:
        raise _malformed(str(error)) from None
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if isinstance(error, ValueError) else "it is nested too deeply"
        raise _malformed(f"The body is not JSON: {reason}.") from None


def parsed(model: type[_Model], body: bytes, *, context: dict[str, Any] | None = None) -> _Model:
    """Parse the body as this model. Raises ProblemError with every error."""
    return validated(model, loads(body), context=context)


def validated(model: type[_Model], value: object, *, context: dict[str, Any] | None = None) -> _Model:
    if not isinstance(value, dict):
        raise invalid([Fault(message="must be a JSON object")])
    try:
        return model.model_validate(value, context=context)
    except ValidationError as error:
        raise invalid(faults_of(error, known=model.model_fields)) from None


def reject_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Reject a query with unknown parameters: a misspelt filter would match everything."""
    known, given = list(known), list(given)
    faults = [
        Fault(field=printable(name), message=f"is not a parameter of this request{did_you_mean(name, known)}")
        for name in dict.fromkeys(given)
        if name not in known
    ]
    if faults:
        raise invalid(faults)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
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


def _depth_bound(text: str) -> int:
    """An upper bound on the nesting of brackets, found without a parser: brackets inside strings count too."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    inside = escaped = False
    for character in text:
        if inside:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                inside = False
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _malformed(detail: str) -> ProblemError:
    return ProblemError(Trouble.MALFORMED, detail)
