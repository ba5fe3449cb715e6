"""Jobs requested by message, for producers without access to the database: validated, then written once.

Weakness: until its row is written, the message is the only copy. A worker killed in those milliseconds loses it, as
does a broker that loses data. Sending it again under the same key is always safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from api_models.problems import Fault, faults_of
from api_models.speech import JobRequest
from worker.producer.errors import KeyReusedError
from worker.producer.jobs import enqueue
from worker.settings import Settings
from worker.store.database import Database
from worker.store.outbox import events

REFUSED: Final = "submission.refused"
"""Event type of a rejected message. Its subject is the message's id."""
MAX_FAULTS: Final = 20
MAX_TENANT_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    """Celery's task id, which stays the same on redelivery."""
    request: object
    """A job request as JSON."""
    tenant: str
    key: str
    """Idempotency key."""


def take(message: Message, database: Database, settings: Settings) -> bool:
    """Write the job that a message requests, or an event with the reason. Returns whether there is a job. Raises
    SQLAlchemyError: the database is unavailable. Nothing was written.
    """
    try:
        request = JobRequest.model_validate(message.request, context={"max_text_bytes": settings.max_text_bytes})
        if not 0 < len(message.tenant) <= MAX_TENANT_CHARACTERS:
            raise ValueError(f"a tenant's name must have 1 to {MAX_TENANT_CHARACTERS} characters")
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
        _refuse(message, faults_of(error, known=JobRequest.model_fields), database)
    except KeyReusedError as error:
        _refuse(message, [Fault(field="idempotency_key", message=str(error))], database)
    except ValueError as error:
        _refuse(message, [Fault(message=str(error))], database)
    else:
        return True
    return False


def _refuse(message: Message, faults: Sequence[Fault], database: Database) -> None:
    data = {"faults": [str(fault) for fault in faults[:MAX_FAULTS]]}
    with database.begin() as connection:
        events.record(
            connection,
            REFUSED,
            message.id,
            data,
            tenant=message.tenant[:MAX_TENANT_CHARACTERS],
            now=database.now(connection),
        )
