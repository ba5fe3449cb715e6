"""Jobs written in the caller's own transaction: they exist exactly if it commits.

Takes what the caller has: a Session or a Connection of SQLAlchemy, or the asynchronous kind of either, on the database
of the queue. Its weakness: other requests with the same idempotency key wait until this transaction ends.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session, scoped_session
from uuid_utils.compat import uuid7

from api_models.origins import DEFAULT_TENANT, canonical_base_url
from api_models.speech import JobRequest
from worker import settings
from worker.producer.errors import KeyReusedError
from worker.producer.rows import job_row
from worker.settings import Settings
from worker.store import batches
from worker.store.access import idempotency
from worker.store.access.idempotency import IdempotentRequest, Recorded
from worker.store.batches import BatchRecord
from worker.store.money import budgets
from worker.store.transitions import actions

Where = Session | scoped_session[Session] | Connection
"""The caller's transaction."""
WhereAsync = AsyncSession | AsyncConnection
"""The same, where it is awaited."""

MAX_KEY_CHARACTERS: Final = 255


def enqueue(
    where: Where,
    request: JobRequest,
    *,
    tenant: str = DEFAULT_TENANT,
    idempotency_key: str | None = None,
    origin: str | None = None,
    configuration: Settings | None = None,
    now: datetime | None = None,
) -> UUID:
    """Hand in one job in the caller's transaction, which stays the caller's to commit. Returns the job's id.

    The same request under the same `idempotency_key` of a tenant is handed in once: for 48 hours the key brings the
    first job's id. `configuration` are the settings that hold for all jobs, by default those of this process. `origin`
    is the API's address where it isn't theirs; it keeps rehearsals and the real thing apart.

    Raises:
        KeyReusedError: another request came under the key. Nothing was written.
        InvalidInputError: the settings can't be read.
    """
    connection, now = _connection(where), now or datetime.now(UTC)
    row = _rows(tenant, origin, configuration, now)(request)
    job_id: UUID = row["id"]
    if idempotency_key is not None:
        once = _once(tenant, idempotency_key, _digest_of_one(request))
        made = idempotency.claim(connection, [(once, job_id, None)], now=now)[0]
        if made is not None:
            return _first(made.job_id, made, once)
    actions.submit(connection, [row])
    return job_id


def enqueue_many(
    where: Where,
    requests: Iterable[JobRequest],
    *,
    name: str,
    tenant: str = DEFAULT_TENANT,
    idempotency_key: str | None = None,
    max_cost: Decimal | None = None,
    origin: str | None = None,
    configuration: Settings | None = None,
    now: datetime | None = None,
) -> UUID:
    """Hand in a batch in the caller's transaction, which stays the caller's to commit. Returns the batch's id.

    `requests` is read once and not kept, so a generator of a million is fine. Each `custom_id` may occur once.
    `name` is what people will see; `max_cost` is what the calls may cost altogether, in US dollars. As for one job, an
    `idempotency_key` makes the same requests, in the same order, one batch.

    Raises:
        ValueError: there are no requests.
        KeyReusedError: other requests came under the key. Nothing of these is left in the transaction.
        InvalidInputError: the settings can't be read.
        IntegrityError: two requests have one `custom_id`. The transaction is then the caller's to roll back.
    """
    return enqueue_rows(
        where,
        ((request, None) for request in requests),
        name=name,
        tenant=tenant,
        idempotency_key=idempotency_key,
        max_cost=max_cost,
        origin=origin,
        configuration=configuration,
        now=now,
    )


def enqueue_rows(
    where: Where,
    rows: Iterable[tuple[JobRequest, str | None]],
    *,
    name: str,
    tenant: str = DEFAULT_TENANT,
    idempotency_key: str | None = None,
    max_cost: Decimal | None = None,
    origin: str | None = None,
    configuration: Settings | None = None,
    now: datetime | None = None,
) -> UUID:
    """As `enqueue_many`, each request with what its row of a sheet held beside its fields, as JSON."""
    connection, now = _connection(where), now or datetime.now(UTC)
    source = iter(rows)
    first = next(source, None)
    if first is None:
        raise ValueError("there are no requests to hand in")
    told = _Told(chain([first], source), tells=idempotency_key is not None)
    if idempotency_key is not None and (known := idempotency.known(connection, tenant, idempotency_key)):
        deque(told, maxlen=0)
        return _first(known.batch_id, known, _once(tenant, idempotency_key, told.digest))
    batch = BatchRecord(uuid7(), tenant, name, None, 0, now)
    batches.add(connection, batch, resume_key=None)
    row = _rows(tenant, origin, configuration, now)
    count = actions.submit(
        connection,
        (row(request, batch_id=batch.id, line=line, extra=extra) for line, (request, extra) in enumerate(told, 1)),
    )
    if idempotency_key is not None:
        once = _once(tenant, idempotency_key, told.digest)
        made = idempotency.claim(connection, [(once, None, batch.id)], now=now)[0]
        if made is not None:
            batches.withdraw(connection, batch.id)
            return _first(made.batch_id, made, once)
    batches.count(connection, batch.id, count)
    if max_cost is not None:
        budgets.limit_batch(connection, batch.id, max_cost)
    return batch.id


async def enqueue_async(
    where: WhereAsync,
    request: JobRequest,
    *,
    tenant: str = DEFAULT_TENANT,
    idempotency_key: str | None = None,
    origin: str | None = None,
    configuration: Settings | None = None,
    now: datetime | None = None,
) -> UUID:
    """As `enqueue`, in an asynchronous transaction."""
    return await where.run_sync(
        lambda inner: enqueue(
            inner,
            request,
            tenant=tenant,
            idempotency_key=idempotency_key,
            origin=origin,
            configuration=configuration,
            now=now,
        )
    )


async def enqueue_many_async(
    where: WhereAsync,
    requests: Iterable[JobRequest],
    *,
    name: str,
    tenant: str = DEFAULT_TENANT,
    idempotency_key: str | None = None,
    max_cost: Decimal | None = None,
    origin: str | None = None,
    configuration: Settings | None = None,
    now: datetime | None = None,
) -> UUID:
    """As `enqueue_many`, in an asynchronous transaction."""
    return await where.run_sync(
        lambda inner: enqueue_many(
            inner,
            requests,
            name=name,
            tenant=tenant,
            idempotency_key=idempotency_key,
            max_cost=max_cost,
            origin=origin,
            configuration=configuration,
            now=now,
        )
    )


class _Told:
    """Requests as they pass by, and the digest of those that have passed."""

    def __init__(self, rows: Iterator[tuple[JobRequest, str | None]], *, tells: bool) -> None:
        """Unless it `tells`, nobody will ask for the digest, and none is made."""
        self._rows = rows
        self._tells = tells
        self._digest = hashlib.sha256()

    def __iter__(self) -> Iterator[tuple[JobRequest, str | None]]:
        for request, extra in self._rows:
            if self._tells:
                self._digest.update(_digest_of_one(request).encode())
            yield request, extra

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def _digest_of_one(request: JobRequest) -> str:
    # Only what was set: a field that a later version adds must not make the same request another one.
    return hashlib.sha256(request.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def _once(tenant: str, key: str, digest: str) -> IdempotentRequest:
    if not 0 < len(key) <= MAX_KEY_CHARACTERS:
        raise ValueError(f"an idempotency key has 1 to {MAX_KEY_CHARACTERS} characters, not {len(key)}")
    return IdempotentRequest(tenant, key, digest)


def _first(made_id: UUID | None, made: Recorded, once: IdempotentRequest) -> UUID:
    if made_id is None or made.request.body_hash != once.body_hash:
        raise KeyReusedError(once.key, once.tenant)
    return made_id


def _connection(where: Where) -> Connection:
    return where if isinstance(where, Connection) else where.connection()


def _rows(
    tenant: str, origin: str | None, configuration: Settings | None, now: datetime
) -> Callable[..., dict[str, Any]]:
    """What makes the rows of one hand-in."""
    chosen = configuration or settings.current()
    return partial(
        job_row,
        tenant=tenant,
        batch_id=None,
        line=None,
        origin=canonical_base_url(origin or chosen.segmind_base_url),
        now=now,
        kept_seconds=chosen.expires_after,
        shared=chosen.shares_content,
    )
