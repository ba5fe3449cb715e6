"""Batches that the same command finds again: written in full, or resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from api_models.key_templates import checked_template
from api_models.origins import DEFAULT_TENANT
from api_models.status import JobStatus
from worker.intake.spool import Spool, contents
from worker.intake.validation import Row
from worker.producer import columns as row_columns
from worker.producer import succession
from worker.producer.documents import LongTexts, Source
from worker.producer.rows import content_of, job_row, origin_of
from worker.store import batches, outputs
from worker.store.batches import BatchRecord
from worker.store.money import budgets
from worker.store.queries import jobs, refusals, rivals
from worker.store.transitions import actions
from worker.store.writing import bulk, columns

AGAIN: Final = (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED)
"""Finished jobs that are retried when the same command is repeated."""


@dataclass(frozen=True, slots=True)
class Submission:
    batch: BatchRecord
    resumed: bool
    """The same command had made this batch before; nothing was added."""
    retried: int
    """Jobs that had finished without audio and are queued again."""


def submit_batch(
    connection: Connection,
    rows: Collection[Row],
    *,
    name: str,
    origin: str,
    output_url: str | None,
    tenant: str = DEFAULT_TENANT,
    resume: bool = True,
    use_cache: bool | None = None,
    max_cost: Decimal | None = None,
    key_template: str | None = None,
    kept_seconds: int | None = None,
    shared: bool = False,
    key: str | None = None,
    max_text_bytes: int | None = None,
    sources: Mapping[str, Source] | None = None,
    renew: bool = False,
    buy_again: bool = True,
    now: datetime | None = None,
) -> Submission:
    """Submit a batch, or resume the one that the same rows and output made before.

    With `resume` false the batch is new and every text is bought again, unless `use_cache` allows copies. `max_cost`
    limits the total cost of its calls in US dollars; a batch resumed without one keeps its limit. `key_template` names
    the objects; another template makes another batch. With `buy_again` false, jobs of a known batch that finished
    without audio after paid takes stay finished. Texts over `max_text_bytes`, or else their model's limit, become
    documents; so do the rows named in `sources`. `kept_seconds` and `shared` are as for `job_row`; `key` is the rows'
    `resume_key` if the caller has computed it.

    Queued jobs of earlier batches with the same names in the same place are superseded. A superseded batch is not
    resumed: a new one takes its place, copies what was bought, and keeps the rest of its limit. `renew` does the same
    for a batch whose files a later one has replaced. Raises TemplateError: two jobs could get one key by it. Nothing
    was written.
    """
    if key_template is not None:
        checked_template(key_template, shared=output_url is None, columns=None)
    now = now or datetime.now(UTC)
    key = key or resume_key(rows, origin=origin, output_url=output_url, key_template=key_template)
    batch = BatchRecord(id=uuid7(), tenant=tenant, name=name, output_url=output_url, total=len(rows), created_at=now)
    added = False
    while not added:
        known = batches.by_resume_key(connection, tenant, key)
        if known is not None and resume and not (renew or rivals.is_superseded(connection, known.id)):
            which = jobs.of_batch(known.id)
            if not buy_again:
                which &= ~refusals.PAID_IN_VAIN
            retried = actions.retry(connection, which, states=AGAIN)
            _limit(connection, known.id, max_cost)
            return Submission(batch=known, resumed=True, retried=retried)
        if known is not None:
            max_cost = budgets.left(connection, known.id) if resume and max_cost is None else max_cost
            batches.forget_resume_key(connection, known.id)
        # If the same command runs twice at once, this waits for the other to commit, then reads again.
        added = batches.add(connection, batch, resume_key=key)
    if key_template is not None:
        outputs.name_keys(connection, batch.id, key_template)
    cached = resume if use_cache is None else use_cache
    row = partial(
        job_row,
        tenant=tenant,
        batch_id=batch.id,
        origin=origin,
        now=now,
        use_cache=cached,
        kept_seconds=kept_seconds,
        shared=shared,
    )
    content = partial(content_of, origin=origin, tenant=tenant, shared=shared)
    long_texts = LongTexts(max_text_bytes, row, content, sources or {}, output_url, tenant)
    if isinstance(rows, Spool) and len(rows) > bulk.FEW_ROWS and columns.has_own_way(connection):
        cast = row_columns.cast(
            long_texts.other_pieces(rows.pieces()),
            partial(row, line=None),
            origin=origin_of(origin, tenant, shared=shared),
            carries=rows.carries,
        )
        actions.submit_alike(connection, cast)
    else:
        others = long_texts.others(rows)
        actions.submit(connection, (row(one.request, line=one.line, extra=one.extra) for one in others))
    long_texts.submit(connection)
    succession.supersede(connection, batch, key_template, rows, now=now)
    _limit(connection, batch.id, max_cost)
    return Submission(batch=batch, resumed=False, retried=0)


def _limit(connection: Connection, batch_id: UUID, max_cost: Decimal | None) -> None:
    # Last in the transaction, because it locks the batch's row against the dispatcher.
    if max_cost is not None:
        budgets.limit_batch(connection, batch_id, max_cost)


def resume_key(rows: Iterable[Row], *, origin: str, output_url: str | None, key_template: str | None = None) -> str:
    """Identify a batch by its contents, their names and its destination, so that the same command finds it again."""
    prefix = "" if key_template is None else f"{key_template}\n"
    return hashlib.sha256(f"{origin}\n{output_url}\n{prefix}{contents(rows)}".encode()).hexdigest()
