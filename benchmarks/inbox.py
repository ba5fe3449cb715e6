"""The inbox: rows a second by one INSERT … SELECT, the leader's rate, and the wait from a commit to its call."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import text as statement

from benchmarks.plots import Bars, Cell
from benchmarks.report import Report
from benchmarks.start import Knobs as StartKnobs
from benchmarks.start import Waits, waits_of
from benchmarks.texts import text
from tests.cluster.cluster import Cluster
from tests.cluster.services import own_services
from tests.cluster.shape import Shape, StoreKind
from tests.cluster.waiting import wait_for
from worker import settings
from worker.emulator.config import EmulatorConfig
from worker.maintenance.inbox import Inbox
from worker.store import inbox, inbox_roles
from worker.store.database import Database

ROWS_A_SECOND: Final = 20_000
P50_MS: Final = 40.0
ROLE: Final = "shop"
BEHIND_MS: Final = 1_000.0
"""For a valid request behind a flood of faulty ones."""
SUBMIT: Final = """
INSERT INTO announcements (job) SELECT ttsq_submit(jsonb_build_object(
  'text', 'Your order ' || number || ' is on its way.', 'voice_1', 'Kore', 'custom_id', 'order-' || number))
FROM generate_series(1, %s) AS number"""
FAULTY: Final = """
SELECT ttsq_submit(jsonb_build_object('text', 'Hello ' || number, 'voice_1', 'Kroe', 'voise_2', 'Puck'))
FROM generate_series(1, %s) AS number"""


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    rows: int = 100_000
    rounds: int = 3
    faulty: int = 10_000
    jobs: int = 50
    """Committed one at a time on an idle system."""
    gap: float = 0.25
    workers: int = 2
    seed: int = 1


FULL: Final = Knobs(rows=500_000, jobs=200, gap=0.4)


@dataclass(frozen=True, slots=True)
class Bulk:
    """One INSERT … SELECT, and the leader's work on it."""

    rows: int
    submit_seconds: float
    """Commit included."""
    read_seconds: float


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Rows in bulk without workers; then single ones into an idle cluster, and one behind a flood of faulty rows."""
    shape = Shape(
        knobs.workers,
        10,
        latency_seconds=0.02,
        emulator=EmulatorConfig(audio_bytes=24_044),
        store=StoreKind.FOLDER,
        settings={"SEGMIND_RPM": "unlimited"},
    )
    with own_services(shape) as services:
        with Cluster(Shape(workers=0, store=StoreKind.FOLDER), services) as idle:
            with closing(_producer(idle.database)) as producer:
                bulks = [_bulk(idle.database, producer, knobs.rows) for _ in range(knobs.rounds)]
            say(f"{_rate(bulks):,.0f} rows/s")
        with Cluster(shape, services) as cluster, closing(_producer(cluster.database)) as producer:
            cluster.wait_for_leader()
            start = StartKnobs(jobs=knobs.jobs, gap=knobs.gap, seed=knobs.seed)
            waits = waits_of("ttsq_submit, a transaction each", _singly(producer), cluster.emulator, start)
            say(f"{waits.at(0.5):.0f} ms from the commit to the call")
            behind = _behind(cluster, producer, knobs.faulty)
    return _report(knobs, bulks, waits, behind)


def _producer(database: Database) -> psycopg.Connection[Any]:
    """A session of a role that may submit and nothing else, with a table of its own."""
    address = database.url.render_as_string(hide_password=False).replace("+psycopg", "", 1)
    password = secrets.token_hex(8)
    with psycopg.connect(address) as admin:
        if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone() is None:
            admin.execute(f"CREATE ROLE {ROLE} LOGIN")
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(password)))
        admin.execute("CREATE TABLE announcements (job uuid)")
        admin.execute(f"GRANT ALL ON announcements TO {ROLE}")
    with database.begin() as connection:
        inbox_roles.grant(connection, ROLE, ["shop"])
        for one in inbox_roles.statements(connection, ROLE)[0]:
            connection.execute(statement(one))
    url = database.url.set(drivername="postgresql", username=ROLE, password=password)
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


def _bulk(database: Database, producer: psycopg.Connection[Any], rows: int) -> Bulk:
    began = time.perf_counter()
    producer.execute(SUBMIT, [rows])
    submitted = time.perf_counter()
    url = database.url.render_as_string(hide_password=False)
    reader = Inbox(database, settings.load(SEGMIND_API_KEY="k", TTSQ_DATABASE_URL=url))
    while reader.run_once():
        pass
    read = time.perf_counter()
    with database.begin() as connection:
        made = connection.execute(statement("SELECT count(*) FROM jobs")).scalar_one()
        assert made == rows, f"{made} jobs of {rows} rows"
        connection.execute(statement("DELETE FROM jobs"))
        connection.execute(statement("DELETE FROM inbox"))
    return Bulk(rows, submitted - began, read - submitted)


def _singly(producer: psycopg.Connection[Any]) -> Callable[[int], float]:
    def submit(number: int) -> float:
        producer.execute("SELECT ttsq_submit(%s::jsonb)", [json.dumps({"text": text(number), "cache": "bypass"})])
        return time.time()

    return submit


def _behind(cluster: Cluster, producer: psycopg.Connection[Any], faulty: int) -> tuple[float, float]:
    """Milliseconds from the commit of a valid request to its call, behind faulty ones; and until those are refused."""
    calls = cluster.emulator.admin.state(detail=False).calls
    producer.execute(FAULTY, [faulty])
    began = time.time()
    producer.execute("SELECT ttsq_submit(%s::jsonb)", [json.dumps({"text": "Valid.", "cache": "bypass"})])
    wait_for(lambda: cluster.emulator.admin.state(detail=False).calls > calls, seconds=60, what="the call")
    first = max(cluster.emulator.admin.state().admitted_at)

    def refused() -> bool:
        with cluster.database.read() as connection:
            return inbox.backlog(connection).refused == faulty

    wait_for(refused, seconds=300, what="all faulty rows refused")
    return 1_000 * (first - began), 1_000 * (time.time() - began)


def _rounds(bulks: Sequence[Bulk], waits: Waits) -> Iterator[dict[str, Cell]]:
    for ms in waits.ms:
        yield {"way": waits.way, "ms": ms}
    for one in bulks:
        yield {"way": "bulk", "submit_s": one.submit_seconds, "read_s": one.read_seconds}


def _rate(bulks: Sequence[Bulk]) -> float:
    return median(one.rows / one.submit_seconds for one in bulks)


def _report(knobs: Knobs, bulks: Sequence[Bulk], waits: Waits, behind: tuple[float, float]) -> Report:
    read = median(one.rows / one.read_seconds for one in bulks)
    return Report(
        name="inbox",
        title=(
            f"{knobs.rows:,} rows by one INSERT … SELECT ttsq_submit (median of {knobs.rounds} rounds);"
            f" {knobs.jobs} single transactions into an idle system, {knobs.workers} workers"
        ),
        columns=("", "p50 ms", "p95 ms", "p99 ms", "longest ms"),
        rows=[(waits.way, waits.at(0.5), waits.at(0.95), waits.at(0.99), waits.at(1))],
        findings=[
            f"{_rate(bulks):,.0f} rows a second by one INSERT … SELECT (target: {ROWS_A_SECOND:,})",
            f"the leader turns {read:,.0f} rows a second into jobs",
            f"half begin within {waits.at(0.5):.0f} ms of the commit (target: {P50_MS:g})",
            f"behind {knobs.faulty:,} faulty rows a valid one begins within {behind[0]:.0f} ms (target: {BEHIND_MS:g})",
            f"all faulty rows are refused within {behind[1] / 1_000:.1f} s",
        ],
        rounds=[*_rounds(bulks, waits)],
        plot=Bars(("p50 ms", "p99 ms"), axis="ms from the commit to the call", target=P50_MS, aim="p50 at most"),
    )
