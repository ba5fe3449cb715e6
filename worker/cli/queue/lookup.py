"""What people name at a terminal, found: batches by id, its beginning or name; jobs by id or its beginning."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from api_models.hints import did_you_mean
from worker.cli.talk.errors import AmbiguousError, UnknownBatchError, UnknownJobError
from worker.cli.talk.wording import short
from worker.store import batches, views
from worker.store.batches import BatchRecord
from worker.store.views import JobRecord

SEARCHED_BATCHES: Final = 10_000
"""The newest ones, in which a name or the beginning of an id is looked up; a whole id finds any."""
SHOWN_MATCHES: Final = 5


def batch(connection: Connection, wanted: str) -> BatchRecord:
    """The batch that is meant: by its id, by the beginning of one, or the newest of that name, with its ending or not.

    Raises:
        UnknownBatchError, AmbiguousError
    """
    if (batch_id := _uuid(wanted)) and (found := batches.by_id(connection, batch_id)):
        return found
    known = batches.latest(connection, most=SEARCHED_BATCHES)
    digits = wanted.replace("-", "").lower()
    matches = [record for record in known if digits and record.id.hex.startswith(digits)]
    if len(matches) == 1:
        return matches[0]
    named = next((record for record in known if wanted in {record.name, Path(record.name).stem}), None)
    if named is not None:
        return named
    if matches:
        raise AmbiguousError("batch", wanted, [short(record.id) for record in matches[:SHOWN_MATCHES]])
    raise UnknownBatchError(wanted, did_you_mean(wanted, {record.name for record in known}))


def job(connection: Connection, wanted: str) -> JobRecord:
    """The job whose id begins like this.

    Raises:
        UnknownJobError, AmbiguousError
    """
    found = views.by_id_prefix(connection, wanted, most=SHOWN_MATCHES)
    if not found:
        raise UnknownJobError(wanted)
    if len(found) > 1:
        raise AmbiguousError("job", wanted, [str(record.id) for record in found])
    return found[0]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
