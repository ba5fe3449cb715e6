"""Turns requests of the inbox into jobs, a page of them in the caller's transaction.

Rows share the rules of every other way in: idempotency keys, batches with their budgets, callbacks. Weakness: a batch
that has finished is unfinished again when another row names it, and its event is sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from api_models.inbox import InboxRequest
from api_models.problems import Fault
from worker.producer.arrivals import Refusal, Submission
from worker.producer.documents import is_long
from worker.producer.errors import KeyReusedError
from worker.producer.jobs import row_maker
from worker.producer.wording import SpokenTexts
from worker.settings import Settings
from worker.store import batches
from worker.store.access import idempotency
from worker.store.access.idempotency import IdempotentRequest, Recorded
from worker.store.batches import BatchRecord
from worker.store.money import budgets
from worker.store.outbox import endpoints
from worker.store.queries import jobs
from worker.store.transitions import actions, completion
from worker.text.errors import TextError

Job = tuple[int, UUID]
"""A row's number, and the job that it has become or has been before."""

_USED_ID: Final = Fault(field="id", message="belongs to another job; leave it out, or make a new one")
_USED_NAME: Final = Fault(field="custom_id", message="is already used in its batch; use a unique one")


@dataclass(slots=True)
class Result:
    jobs: list[Job] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    written: int = 0
    """Jobs that are new."""


def write(
    connection: Connection,
    submissions: Sequence[Submission],
    settings: Settings,
    *,
    now: datetime,
    new_secret: Callable[[], str],
) -> Result:
    """Write a job for each submission, except for those that repeat an earlier one or can't be. `new_secret` signs the
    callbacks of a tenant that had none. Raises SQLAlchemyError.
    """
    return _Page(connection, settings, now, new_secret).write(submissions)


@dataclass(slots=True)
class _OpenBatch:
    record: BatchRecord
    is_new: bool
    names: set[str]
    jobs: int = 0
    max_cost: Decimal | None = None


@dataclass(slots=True)
class _Page:
    connection: Connection
    settings: Settings
    now: datetime
    new_secret: Callable[[], str]
    result: Result = field(default_factory=Result)
    _batches: dict[tuple[str, str], _OpenBatch] = field(default_factory=dict)
    _prepare: dict[str, SpokenTexts] = field(default_factory=dict)
    _spoken: dict[int, InboxRequest] = field(default_factory=dict)
    """Requests whose text was prepared, by their rows' numbers."""

    def write(self, submissions: Sequence[Submission]) -> Result:
        firsts, repeats = _by_key(submissions)
        fresh = list(self._usable(self._unknown(firsts)))
        rows = {one.number: self._row(one) for one in fresh}
        lost = self._claim(fresh, rows)
        actions.submit(self.connection, [row for number, row in rows.items() if number not in lost])
        self.result.written = len(rows) - len(lost)
        self._close_batches([one for one in fresh if one.number not in lost])
        for tenant in sorted({one.tenant for one in fresh if one.request.receiver}):
            endpoints.callbacks(self.connection, tenant, fresh_secret=self.new_secret(), now=self.now)
        self.result.jobs += [(number, row["id"]) for number, row in rows.items() if number not in lost]
        self._repeat(repeats)
        return self.result

    def _unknown(self, firsts: Sequence[Submission]) -> list[Submission]:
        """Return those whose key is new; the others get their first request's job."""
        keys = [key for one in firsts if (key := _key(one)) is not None]
        known = idempotency.known_keys(self.connection, keys) if keys else {}
        unknown = []
        for one in firsts:
            key = _key(one)
            made = known.get(key) if key else None
            if made is None:
                unknown.append(one)
            else:
                self._settle(one, made)
        return unknown

    def _usable(self, submissions: Sequence[Submission]) -> Iterator[Submission]:
        """Yield those whose id and name are free, each with its batch open."""
        taken = jobs.existing(self.connection, [one.id for one in submissions if one.id is not None])
        self._open_batches(submissions)
        for one in submissions:
            batch, name = self._batch(one), one.request.custom_id
            if one.id is not None and one.id in taken:
                self._refuse(one, _USED_ID)
            elif batch is not None and name is not None and name in batch.names:
                self._refuse(one, _USED_NAME)
            elif self._is_spoken(one):
                if one.id is not None:
                    taken.add(one.id)
                if batch is not None and name is not None:
                    batch.names.add(name)
                yield one

    def _open_batches(self, submissions: Sequence[Submission]) -> None:
        wanted: dict[tuple[str, str], set[str]] = {}
        for one in submissions:
            if one.request.batch is not None:
                names = wanted.setdefault((one.tenant, one.request.batch), set())
                names.update(filter(None, [one.request.custom_id]))
        for (tenant, name), names in sorted(wanted.items()):
            self._batches[tenant, name] = self._open_batch(tenant, name, names)

    def _open_batch(self, tenant: str, name: str, custom_ids: set[str]) -> _OpenBatch:
        key = _resume_key(name)
        known = batches.by_resume_key(self.connection, tenant, key)
        record = BatchRecord(uuid7(), tenant, name, None, 0, self.now)
        while known is None:
            # If another process makes it at the same moment, this waits for the commit, then reads again.
            if batches.add(self.connection, record, resume_key=key):
                batches.announce(self.connection, record.id, callback_url=None)
                return _OpenBatch(record, is_new=True, names=set())
            known = batches.by_resume_key(self.connection, tenant, key)
        used = batches.names_in_use(self.connection, known.id, custom_ids) if custom_ids else set()
        return _OpenBatch(known, is_new=False, names=used)

    def _batch(self, one: Submission) -> _OpenBatch | None:
        return None if one.request.batch is None else self._batches[one.tenant, one.request.batch]

    def _is_spoken(self, one: Submission) -> bool:
        """Prepare the text of a row. Refuses it and returns False if that can't be."""
        if not one.request.is_to_be_prepared:
            return True
        prepare = self._prepare.setdefault(
            one.tenant, SpokenTexts(self.connection, one.tenant, self.settings.max_text_bytes)
        )
        try:
            self._spoken[one.number] = found = prepare(one.request)
            if is_long(found, self.settings.max_text_bytes):
                raise TextError("has breaks or voices, or becomes too long, for one call", "submit it over HTTP")
        except TextError as error:
            self._refuse(one, Fault(field=error.field, message=error.described()))
            return False
        return True

    def _row(self, one: Submission) -> dict[str, Any]:
        batch = self._batch(one)
        make = row_maker(one.tenant, None, self.settings, self.now)
        row = make(self._spoken.get(one.number, one.request), batch_id=None if batch is None else batch.record.id)
        if one.id is not None:
            row["id"] = one.id
        return row | {"callback_url": one.request.receiver, "notify": True}

    def _claim(self, fresh: Sequence[Submission], rows: dict[int, dict[str, Any]]) -> set[int]:
        """Claim the keys. Returns the rows whose key another process has claimed since they were looked up."""
        keyed = [(one, once) for one in fresh if (once := _once(one)) is not None]
        wanted = [(once, rows[one.number]["id"], None) for one, once in keyed]
        lost = set()
        for (one, _), made in zip(keyed, idempotency.claim(self.connection, wanted, now=self.now), strict=True):
            if made is not None:
                lost.add(one.number)
                self._settle(one, made)
        return lost

    def _close_batches(self, written: Sequence[Submission]) -> None:
        for one in written:
            if (batch := self._batch(one)) is not None:
                batch.jobs += 1
                batch.max_cost = batch.max_cost if one.request.max_cost is None else one.request.max_cost
        # Last in the transaction, because it locks rows for which the dispatcher waits; by id, as the dispatcher does.
        for batch in sorted(self._batches.values(), key=lambda one: one.record.id):
            if not batch.jobs:
                continue
            if not batch.is_new:
                completion.reopen(self.connection, [batch.record.id])
            batches.grow(self.connection, batch.record.id, batch.jobs)
            if batch.max_cost is not None:
                budgets.limit_batch(self.connection, batch.record.id, batch.max_cost)

    def _repeat(self, repeats: Sequence[tuple[Submission, Submission]]) -> None:
        """Settle rows whose key stands in an earlier row of the page as that row was."""
        by_number = dict(self.result.jobs)
        refused = {one.number: one for one in self.result.refusals}
        for one, first in repeats:
            once = _once(first)
            if once is not None and first.number in by_number:
                self._settle(one, Recorded(once, by_number[first.number], None))
            else:
                self.result.refusals.append(
                    Refusal(one.number, str(one.id or f"inbox {one.number}"), one.tenant, refused[first.number].faults)
                )

    def _settle(self, one: Submission, made: Recorded) -> None:
        once = _once(one)
        if once is None or made.job_id is None or made.request.body_hash != once.body_hash:
            error = KeyReusedError(str(one.request.idempotency_key), one.tenant)
            self._refuse(one, Fault(field="idempotency_key", message=str(error)))
        else:
            self.result.jobs.append((one.number, made.job_id))

    def _refuse(self, one: Submission, fault: Fault) -> None:
        self.result.refusals.append(Refusal.of(one, fault))


def _key(one: Submission) -> tuple[str, str] | None:
    return None if one.request.idempotency_key is None else (one.tenant, one.request.idempotency_key)


def _once(one: Submission) -> IdempotentRequest | None:
    if one.request.idempotency_key is None:
        return None
    digest = hashlib.sha256(one.request.identity.encode()).hexdigest()
    return IdempotentRequest(one.tenant, one.request.idempotency_key, digest)


def _by_key(submissions: Sequence[Submission]) -> tuple[list[Submission], list[tuple[Submission, Submission]]]:
    """Divide into first requests, and repeated ones each with its first."""
    first_of: dict[tuple[str, str], Submission] = {}
    firsts, repeats = [], []
    for one in submissions:
        key = _key(one)
        first = one if key is None else first_of.setdefault(key, one)
        if first is one:
            firsts.append(one)
        else:
            repeats.append((one, first))
    return firsts, repeats


def _resume_key(name: str) -> str:
    return hashlib.sha256(f"inbox\n{name}".encode()).hexdigest()
