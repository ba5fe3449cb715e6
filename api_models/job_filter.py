"""The filter of job lists: `state:failed code:bad_audio cost:>0.02 since:2h "a phrase"`. One grammar everywhere. Pure.

Terms are separated by spaces and must all match. A value with spaces stands in quotes; a word without a name is
searched for in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from api_models.hints import did_you_mean, quoted
from api_models.problems import Fault, InvalidInputError
from api_models.status import JobStatus

MAX_CHARACTERS: Final = 1_000
MAX_TERMS: Final = 30
NAMES: Final[Mapping[str, str]] = {
    "state": "scheduled, queued, dispatched, running, succeeded, failed, cancelled or expired; several with commas",
    "code": "the code of the error, such as bad_audio",
    "batch": "a batch by its id or name",
    "id": "a job by its id or custom_id",
    "voice": "either voice",
    "model": "the model",
    "tag": "one of the job's tags",
    "text": "words of the text",
    "cost": "what it cost in dollars: >0.02, <=0.01, =0",
    "priority": "the priority, a whole number: >0, =-1",
    "since": "submitted within a time (30m, 2h, 7d) or since a date",
    "until": "submitted longer ago than a time, or before a date",
    "tenant": "the tenant",
}
"""What a term may be named, and what its value means."""

_TERM: Final = re.compile(r'\s*(?:([A-Za-z_]+):)?(?:"((?:[^"\\]|\\.)*)"|(\S+))')
_SPAN: Final = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_COMPARISON: Final = re.compile(r"(>=|<=|>|<|=)?\s*\$?(-?[0-9.]{1,20})")


class Comparison(StrEnum):
    """How an amount is compared."""

    AT_LEAST = ">="
    AT_MOST = "<="
    OVER = ">"
    UNDER = "<"
    EQUAL = "="


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Conditions that must all hold. Times are absolute."""

    states: tuple[JobStatus, ...] = ()
    code: str | None = None
    batch: str | None = None
    id: str | None = None
    voice: str | None = None
    model: str | None = None
    tag: str | None = None
    texts: tuple[str, ...] = ()
    costs: tuple[tuple[Comparison, Decimal], ...] = ()
    priorities: tuple[tuple[Comparison, int], ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    tenant: str | None = None

    def of_tenant(self, tenant: str) -> JobFilter:
        """Limit the filter to one tenant. Raises InvalidInputError: it names another one."""
        if self.tenant not in {None, tenant}:
            raise _error(f"tenant: only jobs of {quoted(tenant)} are visible here; leave out the term")
        return replace(self, tenant=tenant)


def parse(text: str, *, now: datetime) -> JobFilter:
    """Read a filter. Relative times count back from `now`. Raises InvalidInputError with the remedy."""
    if len(text) > MAX_CHARACTERS:
        raise _error(f"a filter has at most {MAX_CHARACTERS:,} characters")
    found = JobFilter()
    for name, value in _terms(text):
        found = _with(found, name, value, now)
    return found


def _terms(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    for number in range(MAX_TERMS + 1):
        if not text[at:].strip():
            return
        if number == MAX_TERMS:
            raise _error(f"a filter has at most {MAX_TERMS} terms")
        term = _TERM.match(text, at)
        if term is None:
            raise _error(f"{quoted(text[at:].strip())}: write NAME:VALUE")
        at = term.end()
        yield _named(term)


def _named(term: re.Match[str]) -> tuple[str, str]:
    name, in_quotes, plain = term.groups()
    if in_quotes is None and plain.startswith('"'):
        raise _error(f"{quoted(plain)}: the closing quote is missing")
    value = plain if in_quotes is None else re.sub(r"\\(.)", r"\1", in_quotes)
    if name is None:
        return "text", value
    if name.lower() not in NAMES:
        hint = did_you_mean(name, NAMES) or f"; the terms are {', '.join(NAMES)}"
        raise _error(f"{quoted(name)} is not a term of a filter{hint}")
    if not value:
        raise _error(f"{name}: has no value; write {name}:VALUE")
    return name.lower(), value


def _with(found: JobFilter, name: str, value: str, now: datetime) -> JobFilter:
    if not value.isprintable() and name != "text":
        raise _error(f"{name}: has a character that cannot be stored")
    if "\0" in value:
        raise _error(f"{name}: has a NUL character")
    if name in _MANY:
        return _MANY[name](found, value)
    if name in {"since", "until"}:
        at = _time(name, value, now)
        return replace(found, since=at) if name == "since" else replace(found, until=at)
    values: dict[str, Any] = {name: value}
    return replace(found, **values)


def _states(found: JobFilter, value: str) -> JobFilter:
    words = [word for word in value.lower().split(",") if word]
    for word in words:
        if word not in set(JobStatus):
            hint = did_you_mean(word, JobStatus) or f"; it is one of {', '.join(JobStatus)}"
            raise _error(f"state: {quoted(word)} is not a state{hint}")
    return replace(found, states=tuple(dict.fromkeys([*found.states, *(JobStatus(word) for word in words)])))


def _texts(found: JobFilter, value: str) -> JobFilter:
    return replace(found, texts=(*found.texts, value))


def _costs(found: JobFilter, value: str) -> JobFilter:
    return replace(found, costs=(*found.costs, _compared("cost", value, "0.02")))


def _priorities(found: JobFilter, value: str) -> JobFilter:
    comparison, amount = _compared("priority", value, "5")
    if amount != int(amount) or abs(amount) > 32_767:
        raise _error("priority: must be a whole number of at most 32767")
    return replace(found, priorities=(*found.priorities, (comparison, int(amount))))


_MANY: Final[Mapping[str, Callable[[JobFilter, str], JobFilter]]] = {
    "state": _states,
    "text": _texts,
    "cost": _costs,
    "priority": _priorities,
}


def _compared(name: str, value: str, example: str) -> tuple[Comparison, Decimal]:
    read = _COMPARISON.fullmatch(value)
    try:
        amount = Decimal(read[2]) if read else None
    except InvalidOperation:
        amount = None
    if read is None or amount is None or abs(amount) > 1_000_000:
        raise _error(f"{name}: {quoted(value)} is not a comparison; write {name}:>{example}")
    return Comparison(read[1] or "="), amount


def _time(name: str, value: str, now: datetime) -> datetime:
    if span := _SPAN.fullmatch(value.lower()):
        ago = timedelta(seconds=int(span[1]) * _SECONDS[span[2]])
        return max(now - ago, datetime(1970, 1, 2, tzinfo=UTC)) if ago < timedelta(days=18_000) else _EARLIEST
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise _error(f"{name}: {quoted(value)} is not a time; write 2h, 7d, 2026-12-01 or 2026-12-01T08:00Z") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if not 1970 <= at.year < 9999:
        raise _error(f"{name}: is outside the supported range of dates")
    return at.astimezone(UTC)


_EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)


def _error(message: str) -> InvalidInputError:
    return InvalidInputError("filter", [Fault(field="filter", message=message)])
