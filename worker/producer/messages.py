"""Jobs that are asked for by a message, for producers without a way to the database: judged, then written once.

Its weakness: until its row is written, the message is the only copy there is. A worker that is killed in those
milliseconds takes it along, as does a broker that forgets. Sending the same again, under the same key, is always safe.
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
"""The event of a message that asked for something that can't be. Its subject is the message's id."""
MAX_FAULTS: Final = 20
MAX_TENANT_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class Message:
    """What a producer sent."""

    id: str
    """Celery's id of the task, which stays the same when the message is delivered again."""
    request: object
    """A job request as JSON has it."""
    tenant: str
    key: str
    """Under which it is handed in once."""


def take(message: Message, database: Database, settings: Settings) -> bool:
    """Write the job that a message asks for, or else an event that says why not. True where there is a job.

    Raises:
        SQLAlchemyError: the database doesn't do its part. Nothing was written.
    """
    try:
        request = JobRequest.model_validate(message.request, context={"max_text_bytes": settings.max_text_bytes})
        if not 0 < len(message.tenant) <= MAX_TENANT_CHARACTERS:
            raise ValueError(f"a tenant's name has 1 to {MAX_TENANT_CHARACTERS} characters")
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
