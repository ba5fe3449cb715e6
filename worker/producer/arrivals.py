"""A row of the inbox as a request, or the faults that no repetition mends. Pure: reads and writes nothing.

Any value of any type may stand in a row, so nothing here raises for one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import RFC_4122, UUID

import structlog
from pydantic import ValidationError

from api_models.hints import printable
from api_models.inbox import InboxRequest
from api_models.origins import DEFAULT_TENANT
from api_models.problems import Fault, faults_of
from worker.intake.lines import DECODER, repeated_key
from worker.producer.messages import MAX_FAULT_CHARACTERS, MAX_FAULTS, MAX_TENANT_CHARACTERS
from worker.store.inbox import MAX_BYTES, Arrival, Raw

MAX_KEYS: Final = len(InboxRequest.model_fields) + MAX_FAULTS
"""Of one object; each unknown one is a fault."""
MAX_BRACKETS: Final = 1_000
"""Lists and objects of one request; a valid one has two."""

CheckUrl = Callable[[str], str | None]
"""Returns why callbacks to an address are not allowed, or None."""

log = structlog.get_logger("ttsq.inbox")


@dataclass(frozen=True, slots=True)
class Submission:
    number: int
    """The row's."""
    id: UUID | None
    """The id that its producer knows."""
    tenant: str
    request: InboxRequest


@dataclass(frozen=True, slots=True)
class Refusal:
    number: int
    subject: str
    """Of the event: the id that the producer knows, or the row's number."""
    tenant: str
    faults: Sequence[str]

    @classmethod
    def of(cls, submission: Submission, fault: Fault) -> Refusal:
        return cls(submission.number, subject(submission.id, submission.number), submission.tenant, [_shown(fault)])


class _UnusableError(Exception):
    """A value that isn't a request at all; its argument is the fault."""


@dataclass(slots=True)
class _Row:
    """What is known of a row while it is read, for the event if it is refused."""

    id: UUID | None = None
    tenant: str = DEFAULT_TENANT


def read(
    arrival: Arrival, context: Mapping[str, Any], check_url: CheckUrl, *, hints: bool = True
) -> Submission | Refusal:
    """`hints` suggests names for unknown fields, which takes a millisecond each."""
    row = _Row()
    try:
        found = _read(arrival, row, context, check_url)
    except ValidationError as error:
        found = faults_of(error, known=InboxRequest.model_fields if hints else ())
    except _UnusableError as error:
        found = [Fault(message=str(error))]
    except Exception as error:
        # One row must not keep those behind it waiting.
        log.exception("inbox_row_crashed", row=arrival.number)
        found = [Fault(message=f"can't be handled ({type(error).__name__})")]
    if isinstance(found, Submission):
        return found
    shown = [_shown(fault) for fault in found[:MAX_FAULTS]]
    return Refusal(arrival.number, subject(row.id, arrival.number), row.tenant, shown)


def subject(job_id: UUID | None, number: int) -> str:
    return str(job_id or f"inbox {number}")


def _read(arrival: Arrival, row: _Row, context: Mapping[str, Any], check_url: CheckUrl) -> Submission | Sequence[Fault]:
    row.id = _id(arrival.id)
    allowed = _text(arrival.tenant, "the tenant")
    row.tenant = _name(allowed) or DEFAULT_TENANT
    fields = _object(_text(arrival.request, "the request") or "")
    row.tenant = _name(allowed or fields.get("tenant")) or DEFAULT_TENANT
    if len(fields) > MAX_KEYS:
        return [Fault(message=f"has {len(fields):,} keys; {MAX_KEYS} is the limit")]
    if allowed is not None:
        fields["tenant"] = allowed
    request = InboxRequest.model_validate(fields, context=dict(context))
    if request.receiver is not None and (why := check_url(request.receiver)):
        return [Fault(field=request.receiver_field, message=why)]
    return Submission(arrival.number, row.id, request.tenant or DEFAULT_TENANT, request)


def _id(value: Raw) -> UUID | None:
    if value is None or isinstance(value, UUID):
        return value
    written = _text(value, "the id") or ""
    try:
        found = UUID(written)
    except ValueError:
        raise _UnusableError("the id is not a UUID; leave it out, or write 32 hexadecimal digits") from None
    if found.variant != RFC_4122:
        raise _UnusableError("the id is not a UUID of RFC 9562; leave it out, or make one of version 7")
    return found


def _text(value: Raw, what: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    content = value if isinstance(value, bytes) else str(value).encode()
    if len(content) > MAX_BYTES:
        raise _UnusableError(f"{what} has more than {MAX_BYTES:,} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _UnusableError(f"{what} is not UTF-8 (byte {error.start})") from None


def _object(text: str) -> dict[str, Any]:
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise _UnusableError(f"the request has more than {MAX_BRACKETS:,} brackets")
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _UnusableError(f"the request is not JSON: {error.msg} at character {error.pos + 1:,}") from None
    except (RecursionError, ValueError) as error:
        key = repeated_key(error)
        what = f"has the key {key} twice" if key else "holds a value that no job can use"
        raise _UnusableError(f"the request {what}") from None
    if not isinstance(value, dict):
        raise _UnusableError('the request must be a JSON object, such as {"text": "Hello."}')
    return value


def _name(value: object) -> str | None:
    """The tenant, if an event can name it."""
    is_usable = isinstance(value, str) and 0 < len(value) <= MAX_TENANT_CHARACTERS and value.isprintable()
    return str(value) if is_usable else None


def _shown(fault: Fault) -> str:
    """On one line, with what the producer wrote escaped."""
    return printable(str(fault)) if len(str(fault)) > MAX_FAULT_CHARACTERS else str(fault)
