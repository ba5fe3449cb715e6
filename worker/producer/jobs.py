"""Writes jobs in the caller's transaction: they exist exactly if it commits.

Accepts a Session or a Connection of SQLAlchemy, or the async kind of either, on the queue's database. Weakness: other
requests with the same idempotency key wait until this transaction ends.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import chain, islice
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session, scoped_session
from uuid_utils.compat import uuid7

from api_models.inbox import MAX_KEY_CHARACTERS
from api_models.key_templates import checked_template
from api_models.origins import DEFAULT_TENANT, canonical_base_url
from api_models.speech import JobRequest
from worker import settings
from worker.intake.validation import Row
from worker.producer import documents
from worker.producer.documents import LongTexts, is_long
from worker.producer.errors import KeyReusedError
from worker.producer.rows import content_of, job_row
from worker.producer.wording import SpokenTexts
from worker.settings import Settings
from worker.store import batches, outputs
from worker.store.access import idempotency
from worker.store.access.idempotency import IdempotentRequest, Recorded
from worker.store.batches import BatchRecord
from worker.store.money import budgets
from worker.store.transitions import actions

ROWS_PER_PAGE: Final = 10_000

Where = Session | scoped_session[Session] | Connection
WhereAsync = AsyncSession | AsyncConnection


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
    """Submit one job in the caller's transaction, which the caller commits. Returns the job's id.

    The same request under the same `idempotency_key` of a tenant is submitted once: for 48 hours the key returns the
    first job's id. `configuration` defaults to the settings of this process. `origin` overrides their API address; it
    separates rehearsals from production.

    Raises:
        KeyReusedError: the key belongs to another request. Nothing was written.
        TextError: the text can't be prepared, for its lexicon is unknown or makes it too long. Nothing was written.
        InvalidInputError: the settings are invalid.
    """
    connection, now = _connection(where), now or datetime.now(UTC)
    prepared = _speaker(connection, tenant, configuration)(request)
    row = row_maker(tenant, origin, configuration, now)(prepared)
    job_id: UUID = row["id"]
    if idempotency_key is not None:
        once = idempotent_request(tenant, idempotency_key, _digest_of_one(request))
        made = idempotency.claim(connection, [(once, job_id, None)], now=now)[0]
        if made is not None:
            return _original_id(made.job_id, made, once)
    if is_long(prepared, limit := (configuration or settings.current()).max_text_bytes):
        content = _long_texts(lambda: row, tenant, origin, configuration).content_of
        plan = documents.plan_of(prepared, limit)
        documents.submit(connection, [documents.document_rows(row, prepared, plan, content)])
    else:
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
    """Submit a batch in the caller's transaction, which the caller commits. Returns the batch's id.

    `requests` is read once and not kept, so a generator of a million is fine. Each `custom_id` may occur once. `name`
    is the display name; `max_cost` limits the total cost of the calls, in US dollars. As for one job, an
    `idempotency_key` makes the same requests, in the same order, one batch.

    Raises:
        ValueError: there are no requests.
        KeyReusedError: the key belongs to other requests. Nothing of these is left in the transaction.
        InvalidInputError: the settings are invalid.
        IntegrityError: two requests have one `custom_id`. The caller must roll back.
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
    key_template: str | None = None,
    use_cache: bool = True,
) -> UUID:
    """As `enqueue_many`, each request with the other columns of its sheet row, as JSON.

    `key_template` names the objects in a shared store. With `use_cache` false every text is bought again. Raises
    TemplateError: two jobs could get one key by it.
    """
    connection, now = _connection(where), now or datetime.now(UTC)
    source = iter(rows)
    first = next(source, None)
    if first is None:
        raise ValueError("there are no requests to submit")
    digested = _DigestedRows(chain([first], source), enabled=idempotency_key is not None)
    if idempotency_key is not None and (known := idempotency.known(connection, tenant, idempotency_key)):
        deque(digested, maxlen=0)
        return _original_id(known.batch_id, known, idempotent_request(tenant, idempotency_key, digested.digest))
    batch = BatchRecord(uuid7(), tenant, name, None, 0, now)
    batches.add(connection, batch, resume_key=None)
    if key_template is not None:
        outputs.name_keys(connection, batch.id, checked_template(key_template, shared=True, columns=None))
    row = partial(row_maker(tenant, origin, configuration, now), batch_id=batch.id, use_cache=use_cache)
    long_texts = _long_texts(row, tenant, origin, configuration)
    others = long_texts.others(_rows(_speaker(connection, tenant, configuration), digested))
    made_rows = (row(one.request, line=one.line, extra=one.extra) for one in others)
    count = 0
    while page := list(islice(made_rows, ROWS_PER_PAGE)):  # listed, because preparing reads what copying would block
        count += actions.submit(connection, page)
    count += long_texts.submit(connection)
    if idempotency_key is not None:
        once = idempotent_request(tenant, idempotency_key, digested.digest)
        made = idempotency.claim(connection, [(once, None, batch.id)], now=now)[0]
        if made is not None:
            batches.withdraw(connection, batch.id)
            return _original_id(made.batch_id, made, once)
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
    """As `enqueue`, in an async transaction."""
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
    """As `enqueue_many`, in an async transaction."""
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


def _speaker(connection: Connection, tenant: str, configuration: Settings | None) -> SpokenTexts:
    return SpokenTexts(connection, tenant, (configuration or settings.current()).max_text_bytes)


def _rows(prepare: SpokenTexts, rows: Iterable[tuple[JobRequest, str | None]]) -> Iterator[Row]:
    for line, (request, extra) in enumerate(rows, 1):
        yield Row(line, prepare(request), extra)


class _DigestedRows:
    def __init__(self, rows: Iterator[tuple[JobRequest, str | None]], *, enabled: bool) -> None:
        self._rows = rows
        self._enabled = enabled
        self._digest = hashlib.sha256()

    def __iter__(self) -> Iterator[tuple[JobRequest, str | None]]:
        for request, extra in self._rows:
            if self._enabled:
                self._digest.update(_digest_of_one(request).encode())
            yield request, extra

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def _digest_of_one(request: JobRequest) -> str:
    # Only non-default fields: a field added by a later version must not change the digest.
    return hashlib.sha256(request.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def idempotent_request(tenant: str, key: str, digest: str) -> IdempotentRequest:
    if not 0 < len(key) <= MAX_KEY_CHARACTERS:
        raise ValueError(f"an idempotency key must have 1 to {MAX_KEY_CHARACTERS} characters, not {len(key)}")
    return IdempotentRequest(tenant, key, digest)


def _original_id(made_id: UUID | None, made: Recorded, once: IdempotentRequest) -> UUID:
    if made_id is None or made.request.body_hash != once.body_hash:
        raise KeyReusedError(once.key, once.tenant)
    return made_id


def _long_texts(
    row: Callable[..., dict[str, Any]], tenant: str, origin: str | None, configuration: Settings | None
) -> LongTexts:
    chosen = configuration or settings.current()
    api = canonical_base_url(origin or chosen.segmind_base_url)
    content = partial(content_of, origin=api, tenant=tenant, shared=chosen.shares_content)
    return LongTexts(chosen.max_text_bytes, row, content, tenant=tenant)


def _connection(where: Where) -> Connection:
    return where if isinstance(where, Connection) else where.connection()


def row_maker(
    tenant: str, origin: str | None, configuration: Settings | None, now: datetime
) -> Callable[..., dict[str, Any]]:
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
