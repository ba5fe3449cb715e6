"""Jobs requested by message, for producers without access to the database: validated, then written once.

Weakness: until its row is written, the message is the only copy. A worker killed in those milliseconds loses it, as
does a broker that loses data. Sending it again under the same key is always safe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from api_models.hints import did_you_mean
from api_models.inbox import MAX_KEY_CHARACTERS
from api_models.origins import DEFAULT_TENANT
from api_models.problems import Fault, faults_of
from api_models.speech import JobRequest
from worker.producer.errors import KeyReusedError
from worker.producer.jobs import enqueue
from worker.settings import Settings
from worker.store.database import Database
from worker.store.errors import describe, is_unstorable
from worker.store.outbox import events
from worker.store.types import storable
from worker.text.errors import TextError

REFUSED: Final = "submission.refused"
"""Event type of a rejected message. Its subject is the message's id."""
REQUEST: Final = "request"
TENANT: Final = "tenant"
KEY: Final = "idempotency_key"
KEYWORDS: Final = (REQUEST, TENANT, KEY)
MAX_FAULTS: Final = 20
MAX_FAULT_CHARACTERS: Final = 500
MAX_TENANT_CHARACTERS: Final = 64

log = structlog.get_logger("ttsq.worker")


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    """Celery's task id, which stays the same on redelivery."""
    request: object
    """A job request as JSON."""
    tenant: str
    key: str
    """Idempotency key."""

    @classmethod
    def read(cls, message_id: str, args: Sequence[object], kwargs: Mapping[str, object]) -> Self:
        """Read the arguments of a message, of any number, types and values.

        Raises:
            InvalidSubmissionError: it names no single request, or has other keywords or unusable values.
        """
        requests = [*args, *(value for name, value in kwargs.items() if name == REQUEST)]
        faults = [_unknown(name) for name in kwargs if name not in KEYWORDS]
        if len(requests) != 1:
            faults.append(
                Fault(field=REQUEST, message=f"must be given once, as the only argument, not {len(requests)}")
            )
        tenant, key = kwargs.get(TENANT), kwargs.get(KEY)
        tenant_faults = _faults_of_name(TENANT, tenant, MAX_TENANT_CHARACTERS)
        faults += [*tenant_faults, *_faults_of_name(KEY, key, MAX_KEY_CHARACTERS)]
        whose = str(tenant) if tenant and not tenant_faults else DEFAULT_TENANT
        if faults:
            raise InvalidSubmissionError(faults, tenant=whose)
        return cls(message_id, requests[0], whose, str(key or f"celery {message_id}"[:MAX_KEY_CHARACTERS]))


class InvalidSubmissionError(Exception):
    def __init__(self, faults: Sequence[Fault], *, tenant: str) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults
        self.tenant = tenant


def submit(
    message_id: str, args: Sequence[object], kwargs: Mapping[str, object], database: Database, settings: Settings
) -> bool:
    """`take` a message, or refuse it, as its arguments are. Raises SQLAlchemyError, as `take` does."""
    try:
        message = Message.read(message_id, args, kwargs)
    except InvalidSubmissionError as error:
        refuse(message_id, error.faults, database, tenant=error.tenant)
        return False
    return take(message, database, settings)


def take(message: Message, database: Database, settings: Settings) -> bool:
    """Write the job that a message requests, or an event with the reason. Returns whether there is a job. Raises
    SQLAlchemyError: the database is unavailable. Nothing was written.
    """
    faults = _written(message, database, settings)
    if faults:
        refuse(message.id, faults, database, tenant=message.tenant)
    return not faults


def refuse(message_id: str, faults: Sequence[Fault], database: Database, *, tenant: str = DEFAULT_TENANT) -> None:
    """Report the faults to the producer by an event. Raises SQLAlchemyError."""
    data = {"faults": [_shortened(str(fault)) for fault in faults[:MAX_FAULTS]]}
    with database.begin() as connection:
        events.record(connection, REFUSED, message_id, data, tenant=tenant, now=database.now(connection))


def _written(message: Message, database: Database, settings: Settings) -> Sequence[Fault]:
    """Write the job. Returns the faults that no repetition mends."""
    try:
        request = JobRequest.model_validate(message.request, context={"max_text_bytes": settings.max_text_bytes})
        with database.begin() as connection:
            enqueue(
                connection,
                request,
                tenant=message.tenant,
                idempotency_key=message.key,
                configuration=settings,
                now=database.now(connection),
            )
    except ValidationError as error:
        return faults_of(error, known=JobRequest.model_fields)
    except KeyReusedError as error:
        return [Fault(field="idempotency_key", message=str(error))]
    except TextError as error:
        return [Fault(field=error.field, message=error.described())]
    except SQLAlchemyError as error:
        if not is_unstorable(error):
            raise
        return [Fault(message=f"a value can't be stored: {describe(error)}")]
    except Exception as error:
        log.exception("submission_crashed", message=message.id)
        return [Fault(message=f"the request can't be handled ({type(error).__name__})")]
    return []


def _unknown(name: str) -> Fault:
    known = ", ".join(KEYWORDS)
    return Fault(
        field=_shortened(name), message=f"is no keyword of ttsq.submit{did_you_mean(name, KEYWORDS)} (known: {known})"
    )


def _faults_of_name(field: str, value: object, most: int) -> list[Fault]:
    if value is None or value == "":
        return []
    if not isinstance(value, str):
        return [Fault(field=field, message=f"must be a string, not {type(value).__name__}")]
    if len(value) > most:
        return [Fault(field=field, message=f"has {len(value):,} characters; {most} is the limit")]
    if storable(value) != value:
        return [Fault(field=field, message="contains a NUL character or half of a surrogate pair; remove it")]
    return []


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_FAULT_CHARACTERS else f"{text[:MAX_FAULT_CHARACTERS]}…"
