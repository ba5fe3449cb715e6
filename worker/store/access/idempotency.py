"""Requests that must run once: the client's key, and what its first request created.

The row is written in the transaction that creates the job, so there is no state in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, delete, select, tuple_

from worker.store import upserts
from worker.store.tables.access import IdempotencyKey

KEPT: Final = timedelta(hours=48)
"""A key may be reused after this time."""


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    tenant: str
    key: str
    body_hash: str
    """SHA-256 of the request. A different request under the same key is an error of the client."""


@dataclass(frozen=True, slots=True)
class Recorded:
    request: IdempotentRequest
    job_id: UUID | None
    batch_id: UUID | None


def claim(
    connection: Connection, wanted: Sequence[tuple[IdempotentRequest, UUID | None, UUID | None]], *, now: datetime
) -> list[Recorded | None]:
    """Claim keys for jobs or batches that are written in this transaction.

    Returns None for each newly claimed key, else what the key's first request created. Concurrent requests with one key
    wait here for each other.
    """
    if not wanted:
        return []
    rows = [
        {
            "tenant": request.tenant,
            "key": request.key,
            "body_hash": request.body_hash,
            "job_id": job_id,
            "batch_id": batch_id,
            "created_at": now,
        }
        # In a fixed order, so that transactions cannot deadlock.
        for request, job_id, batch_id in sorted(wanted, key=lambda one: (one[0].tenant, one[0].key))
    ]
    connection.execute(upserts.insert(connection.dialect.name, IdempotencyKey).on_conflict_do_nothing(), rows)
    known = known_keys(connection, [(request.tenant, request.key) for request, _, _ in wanted])
    found: list[Recorded | None] = []
    for request, job_id, batch_id in wanted:
        made = known[request.tenant, request.key]
        found.append(None if (made.job_id, made.batch_id) == (job_id, batch_id) else made)
    return found


def known(connection: Connection, tenant: str, key: str) -> Recorded | None:
    return known_keys(connection, [(tenant, key)]).get((tenant, key))


def forget(connection: Connection, *, made_before: datetime) -> int:
    return connection.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < made_before)).rowcount


def known_keys(connection: Connection, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Recorded]:
    """Return what the first requests of these keys created, each key with its tenant before it."""
    columns = (
        IdempotencyKey.tenant,
        IdempotencyKey.key,
        IdempotencyKey.body_hash,
        IdempotencyKey.job_id,
        IdempotencyKey.batch_id,
    )
    rows = connection.execute(
        select(*columns).where(tuple_(IdempotencyKey.tenant, IdempotencyKey.key).in_(list(wanted)))
    )
    return {(row[0], row[1]): Recorded(IdempotentRequest(row[0], row[1], row[2]), row[3], row[4]) for row in rows}
