"""Spending under one budget while workers are killed: many ways in at once, and what the API's own books say then."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from celery import Celery
from sqlalchemy import select
from uuid_utils.compat import uuid7

from api_models.access import EVERYTHING
from api_models.registry import DEFAULT_MODEL, MODELS
from api_models.schemes import Scheme
from api_models.speech import JobRequest
from api_models.status import IN_FLIGHT, JobStatus
from tests.cluster.cluster import Cluster
from tests.cluster.waiting import wait_for
from tests.gateway import Client, running
from worker.producer import enqueue, enqueue_many
from worker.settings import load
from worker.store import schedules, workers
from worker.store.access import api_keys, hooks
from worker.store.access.hooks import HookRecord
from worker.store.database import Database
from worker.store.money import budgets, limits
from worker.store.money.limits import Limit
from worker.store.queries import filters, jobs
from worker.store.schedules import ScheduleRecord
from worker.store.tables.jobs import Job
from worker.store.tables.workers import Lease
from worker.store.transitions import actions

PRICE: Final = MODELS[DEFAULT_MODEL].price
TENANT: Final = "acme"
AT_ONCE: Final = 64
"""Simultaneous requests on a key that was never used before."""
SHEET_ROWS: Final = 150
OTHERS: Final = 20
"""Jobs by each of the other ways in."""
QUEUE: Final = "ttsq"
SECRET: Final = "the sender's secret"
HELD_SECONDS: Final = 180.0
LEFT_SECONDS: Final = 20.0
"""For a killed worker to be given up."""


class Kind(StrEnum):
    """What has the budget."""

    BATCH = "batch"
    MONTH = "month"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Spree:
    """What is spent, and how it is hurt."""

    kind: Kind
    limit: Decimal
    kills: int = 2
    seed: int = 1


WAYS: Final = ("Message", "Webhook", "Night", "Row", "Single", "Line")
"""The first words of what comes in by each way."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What the books say when nothing may start any more."""

    billed: Decimal
    """By the API."""
    limit: Limit
    calls: int
    ways: frozenset[str] = frozenset()
    """By which jobs came in."""

    @property
    def faults(self) -> list[str]:
        """What is wrong with it."""
        found = []
        if self.billed > self.limit.amount:
            found.append(f"${self.billed} was billed under a budget of ${self.limit.amount}")
        if self.limit.left >= PRICE:
            found.append(f"${self.limit.left} is left, which covers a call")
        if self.billed > self.limit.spent + self.limit.unclear:
            found.append(f"${self.billed} was billed, and ${self.limit.spent} + ${self.limit.unclear} is in the books")
        return found


def spend(cluster: Cluster, spree: Spree) -> Spent:
    """Submit far more than the budget covers, kill workers meanwhile, and wait until the budget holds the rest."""
    with closing(Database(cluster.place.database_url, connections=8)) as database, _gateway(cluster, database) as door:
        client, key = door(spree.limit if spree.kind is Kind.KEY else None)
        if spree.kind is Kind.MONTH:
            with database.begin() as connection:
                budgets.limit_month(connection, TENANT, spree.limit)
        batch = _submit(cluster, database, client, spree)
        rng = random.Random(spree.seed)
        for _ in range(spree.kills):
            time.sleep(rng.uniform(0.3, 1.5))
            _kill_one(cluster, rng)
            _retry_some(database, batch if spree.kind is Kind.BATCH else None)
        _await_ways(database, WAYS if spree.kind is Kind.MONTH else ())
        return _held(cluster, database, _limit(database, spree, batch, key))


@contextmanager
def _gateway(cluster: Cluster, database: Database) -> Iterator[Callable[[Decimal | None], tuple[Client, UUID]]]:
    with running(database, SEGMIND_BASE_URL=cluster.emulator.base_url) as gateway:

        def client(budget: Decimal | None) -> tuple[Client, UUID]:
            with database.begin() as connection:
                now = database.now(connection)
                record, key = api_keys.make(
                    connection, tenant=TENANT, name="robot", scopes=EVERYTHING, rate=None, budget=budget, now=now
                )
            return Client(gateway.address, key), record.id

        yield client


def _submit(cluster: Cluster, database: Database, client: Client, spree: Spree) -> UUID:
    """By every way that the kind of budget covers; the batch."""
    sheet = "text\n" + "".join(f"Row {number} of the sheet.\n" for number in range(SHEET_ROWS))
    if spree.kind is Kind.BATCH:
        return _submit_batch(cluster, database, spree.limit)
    with ThreadPoolExecutor(AT_ONCE) as executor:
        singles = executor.map(
            lambda number: client("POST", "/v1/jobs", {"text": f"Single {number}."}, timeout=60).status, range(AT_ONCE)
        )
        csv = executor.submit(
            client, "POST", "/v1/batches?name=a.csv", sheet.encode(), headers={"Content-Type": "text/csv"}, timeout=60
        )
        assert set(singles) <= {202, 402, 429}
        answer = csv.result()
    assert answer.status in {202, 402}, answer
    if spree.kind is Kind.MONTH:
        _submit_otherwise(cluster, database, client.address)
        return _submit_batch(cluster, database, None)
    return UUID(answer.json["id"]) if answer.status == 202 else UUID(int=0)


def _submit_batch(cluster: Cluster, database: Database, limit: Decimal | None) -> UUID:
    with database.begin() as connection:
        requests = (JobRequest(text=f"Line {number} of the batch.") for number in range(SHEET_ROWS))
        return enqueue_many(
            connection,
            requests,
            name="batch",
            tenant=TENANT,
            max_cost=limit,
            origin=cluster.emulator.base_url,
            configuration=load(SEGMIND_BASE_URL=cluster.emulator.base_url),
        )


def _submit_otherwise(cluster: Cluster, database: Database, address: str) -> None:
    """By messages over the broker, inbound hooks, a schedule, and in a producer's own transaction."""
    settings = load(SEGMIND_BASE_URL=cluster.emulator.base_url)
    _send_messages(cluster)
    _send_webhooks(database, address)
    _schedule(cluster, database)
    for number in range(OTHERS):
        with database.begin() as connection:
            enqueue(connection, JobRequest(text=f"Row {number}."), tenant=TENANT, configuration=settings)


def _send_messages(cluster: Cluster) -> None:
    """As a Celery application that only reaches the broker."""
    shop = Celery("shop", broker=cluster.environment()["TTSQ_BROKER_URL"], set_as_current=False)
    try:
        for number in range(OTHERS):
            request = {"text": f"Message {number}."}
            shop.send_task("ttsq.submit", args=[request], kwargs={"tenant": TENANT}, queue=QUEUE)
    finally:
        shop.close()


def _send_webhooks(database: Database, address: str) -> None:
    """As a system that signs with a secret."""
    with database.begin() as connection:
        mapping, now = {"text": "title"}, database.now(connection)
        assert hooks.add(connection, HookRecord(uuid7(), TENANT, "posts", Scheme.GITHUB, SECRET, {}, mapping, now))
    stranger = Client(address)
    for number in range(OTHERS):
        body = json.dumps({"title": f"Webhook {number}."}).encode()
        mac = hmac.digest(SECRET.encode(), body, hashlib.sha256).hex()
        headers = {"X-Hub-Signature-256": f"sha256={mac}", "X-GitHub-Delivery": f"d-{number}"}
        answer = stranger("POST", "/v1/hooks/posts", body, headers={"Content-Type": "application/json", **headers})
        assert answer.status == 202, answer


def _schedule(cluster: Cluster, database: Database) -> None:
    """One that is due now, and not again for long."""
    source = cluster.home / "nightly.csv"
    source.write_text("text\n" + "".join(f"Night {number}.\n" for number in range(OTHERS)), encoding="utf-8")
    with database.begin() as connection:
        now = database.now(connection)
        yearly = ScheduleRecord(TENANT, "nightly", "0 0 1 1 *", "UTC", str(source), "{}", 3_600, now, now)
        schedules.add(connection, yearly)


def _kill_one(cluster: Cluster, rng: random.Random) -> None:
    alive = [worker for worker in cluster.workers if worker.alive]
    cluster.kill(rng.choice(alive))
    cluster.add_worker()


def _retry_some(database: Database, batch: UUID | None) -> None:
    """Cancel what isn't over, in the midst of its calls, and try it all again."""
    which = filters.of_tenant(jobs.all_jobs(), TENANT) if batch is None else jobs.of_batch(batch)
    with database.begin() as connection:
        actions.cancel(connection, which, now=database.now(connection))
    with database.begin() as connection:
        actions.retry(connection, which, states=[JobStatus.CANCELLED, JobStatus.FAILED])


def _limit(database: Database, spree: Spree, batch: UUID, key: UUID) -> Callable[[], Limit | None]:
    payer = {Kind.BATCH: batch, Kind.MONTH: TENANT, Kind.KEY: key}[spree.kind]

    def look() -> Limit | None:
        with database.read() as connection:
            found = limits.standing(connection, now=database.now(connection))
        return next((limit for limit in found if limit.payer == payer), None)

    return look


def _await_ways(database: Database, ways: Sequence[str]) -> None:
    """Until jobs came in by each of them: a schedule's message that a killed worker held is repeated much later."""
    wait_for(lambda: _ways(database) >= set(ways), seconds=HELD_SECONDS, what="jobs by every way in")


def _held(cluster: Cluster, database: Database, limit: Callable[[], Limit | None]) -> Spent:
    def look() -> Spent | None:
        with database.read() as connection:
            counts = jobs.counts(connection, jobs.all_jobs())
        found = limit()
        if found is None or found.left >= PRICE or counts.of(*IN_FLIGHT, JobStatus.SCHEDULED):
            return None
        state = cluster.emulator.admin.state(detail=False)
        return Spent(state.billed, found, sum(state.statuses.values()), _ways(database))

    wait_for(look, seconds=HELD_SECONDS, what="a budget that holds the rest")
    renewed = _lease(database)
    # Should anything start in spite of it, it does so in the ticks of the next seconds.
    wait_for(lambda: _lease(database) - renewed > timedelta(seconds=1) or None, seconds=LEFT_SECONDS, what="ticks")
    return wait_for(look, seconds=LEFT_SECONDS, what="a budget that holds the rest")


def _ways(database: Database) -> frozenset[str]:
    with database.read() as connection:
        texts = list(connection.execute(select(Job.text)).scalars())
    return frozenset(way for way in WAYS if any(text.startswith(way) for text in texts))


def _lease(database: Database) -> datetime:
    with database.read() as connection:
        return connection.execute(select(Lease.expires_at).where(Lease.name == workers.DISPATCHER)).scalar_one()
