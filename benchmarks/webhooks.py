"""Webhooks a second that one worker process delivers to one endpoint that answers at once, in parallel and in order."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import insert
from uuid_utils.compat import uuid7

from api_models.happenings import Happening
from benchmarks.harness import BIN, environment, temporary_folder
from benchmarks.plots import Bars
from benchmarks.processes import Measured
from benchmarks.quick_receiver import QuickReceiver
from benchmarks.report import Report
from tests.factories import NOW
from tests.servers.postgres import Postgres
from tests.servers.valkey import Valkey
from worker.store import schema
from worker.store.database import Database
from worker.store.outbox import endpoints, events
from worker.store.outbox.endpoints import EndpointRecord
from worker.store.tables.webhooks import EventRow
from worker.webhooks import signatures

PARALLEL_TARGET: Final = 300.0
ORDERED_TARGET: Final = 50.0
PATIENCE_SECONDS: Final = 120.0
WRITTEN_TOGETHER: Final = 100
"""Events of one transaction."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    events: int = 3_000


FULL: Final = Knobs(events=20_000)


@dataclass(frozen=True, slots=True)
class Round:
    """One endpoint."""

    name: str
    target: float
    sent: int
    seconds: float
    latency_ms: float
    cpu_seconds: float
    in_order: bool

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return self.sent / self.seconds


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """The same events, first to an endpoint that takes them in any order, then in order."""
    with Postgres() as postgres, Valkey() as valkey:
        rounds = [_round(postgres, valkey, knobs, ordered=ordered, say=say) for ordered in (False, True)]
    return Report(
        name="webhooks",
        title=f"{knobs.events:,} events to one endpoint that answers at once, by one worker process",
        columns=("", "a second", "one event, idle, ms", "worker CPU ms each"),
        rows=[(one.name, one.rate, one.latency_ms, 1_000 * one.cpu_seconds / one.sent) for one in rounds],
        findings=[f"{one.name}: {one.rate:,.0f} a second (target: at least {one.target:,.0f})" for one in rounds],
        faults=[f"{one.name}: not every event came, each once and in its turn" for one in rounds if not one.in_order],
        plot=Bars(("a second",), axis="deliveries a second", target=PARALLEL_TARGET, aim="at least"),
    )


def _round(postgres: Postgres, valkey: Valkey, knobs: Knobs, *, ordered: bool, say: Callable[[str], None]) -> Round:
    name = "ordered" if ordered else "parallel"
    database = Database(postgres.create_database(f"webhooks_{name}"))
    schema.upgrade(database)
    with temporary_folder() as folder, QuickReceiver(folder) as receiver:
        _add_endpoint(database, receiver.url, ordered=ordered)
        settings = {
            "TTSQ_DATABASE_URL": database.url.render_as_string(hide_password=False),
            "TTSQ_BROKER_URL": valkey.url.replace("/0", "/2" if ordered else "/1"),
            "TTSQ_ARTIFACTS_URL": (folder / "audio").as_uri(),
            "TTSQ_WEBHOOK_ALLOW": "127.0.0.0/8",
            "SEGMIND_API_KEY": "none",
            "SEGMIND_BASE_URL": "http://127.0.0.1:9",
        }
        with Measured(name, [str(BIN / "ttsq"), "worker"], folder, environment(**settings)) as worker:
            worker.await_line("worker_started")
            latency = _latency(database, receiver)
            began = time.perf_counter()
            _write(database, knobs.events)
            receiver.await_count(2 + knobs.events, PATIENCE_SECONDS)
            seconds = time.perf_counter() - began
            usage = worker.stop()
        say(f"{name}: {knobs.events / seconds:,.0f} a second")
        numbers = receiver.numbers()
    database.close()
    whole = numbers == sorted(numbers) if ordered else len(set(numbers)) == len(numbers)
    target = ORDERED_TARGET if ordered else PARALLEL_TARGET
    return Round(name, target, knobs.events, seconds, latency, usage.cpu_seconds, whole)


def _latency(database: Database, receiver: QuickReceiver) -> float:
    """Milliseconds from a commit to the receiver: the second of two, for the first has to wait for a leader."""
    _write(database, 1)
    receiver.await_count(1, PATIENCE_SECONDS)
    time.sleep(1)
    began = time.perf_counter()
    _write(database, 1)
    receiver.await_count(2, PATIENCE_SECONDS)
    return 1_000 * (time.perf_counter() - began)


def _write(database: Database, count: int) -> None:
    for start in range(0, count, WRITTEN_TOGETHER):
        with database.begin() as connection:
            events.take_turn(connection)
            connection.execute(insert(EventRow), [_event() for _ in range(min(WRITTEN_TOGETHER, count - start))])
            events.announce(connection)


def _event() -> dict[str, Any]:
    subject = str(uuid7())
    data = json.dumps({"id": subject})
    return {"at": NOW, "type": Happening.JOB_FAILED, "tenant": "acme", "subject": subject, "data": data}


def _add_endpoint(database: Database, url: str, *, ordered: bool) -> None:
    record = EndpointRecord(
        id=uuid7(),
        tenant="acme",
        url=url,
        secret=signatures.new_secret(),
        old_secret=None,
        old_secret_until=None,
        events="",
        ordered=ordered,
        thin=False,
        created_at=NOW,
        failing_since=None,
        disabled_at=None,
        disabled_why=None,
    )
    with database.begin() as connection:
        endpoints.add(connection, record)
