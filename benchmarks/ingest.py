"""How fast a sheet is submitted, the peak memory this takes, and how much the broker stores for it.

Beside it, in turns and of the same texts: bare COPY (or executemany), which is the database's own bound, and of the
first rows one Celery message each, which is what people do instead. The bare rows belong to no batch, so that the
server is even spared the look at the batch that each of ours refers to.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.harness import environment, services, temporary_folder
from benchmarks.processes import Measured
from benchmarks.report import Report
from benchmarks.texts import text
from tests.cluster.services import Services
from worker.store import schema
from worker.store.database import Database
from worker.store.queries import jobs

TARGETS: Final = {"postgresql": 20_000, "sqlite": 40_000}
"""Rows a second."""
TARGET_OF_BARE: Final = 0.5
TARGET_MESSAGES: Final = 8.0
"""Times as many rows as messages."""
TARGET_MB: Final = 200.0
PATIENCE_SECONDS: Final = 900.0
WAYS: Final = ("queue", "copy")
MESSAGES: Final = "celery"
BARE: Final = {"postgresql": "COPY", "sqlite": "executemany"}


@dataclass(frozen=True, slots=True)
class Knobs:
    """Size of the sheet, and how often each way of submitting it is measured."""

    rows: int = 100_000
    messages: int = 5_000
    """Of the rows that are published through Celery."""
    rounds: int = 3
    """Of each way on each database, in turns."""


FULL: Final = Knobs(rows=1_000_000, messages=50_000)


@dataclass(frozen=True, slots=True)
class Outing:
    """One way on one database."""

    name: str
    way: str
    rows: int
    seconds: float
    """Without the start of the process."""
    cpu: float
    peak_mb: float
    broker_bytes: int
    """By how much the broker's memory grew."""
    written: int
    """Rows that are in the table, or were sent to the broker, afterwards."""

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Each way on each database, in turns."""
    with temporary_folder() as folder, services() as shared:
        sheet = folder / "lines.csv"
        _write(sheet, knobs.rows)
        outings = []
        for number in range(1, knobs.rounds + 1):
            for database in TARGETS:
                for way in WAYS:
                    outings.append(_go(way, database, sheet, knobs.rows, shared))
                    say(f"round {number}, {database}, {way}: {outings[-1].rate:,.0f} rows/s")
        _write(sheet, knobs.messages)
        outings += [_go(MESSAGES, "sqlite", sheet, knobs.messages, shared) for _ in range(knobs.rounds)]
    return Report(
        name="ingest",
        title=f"A sheet of {knobs.rows:,} rows, validated and submitted (medians of {knobs.rounds} rounds)",
        columns=("", "rows/s", "µs CPU a row", "peak MB", "broker KB"),
        rows=[_row(_of(outings, way, name)) for name in TARGETS for way in WAYS]
        + [_row(_of(outings, MESSAGES, "sqlite"))],
        findings=[_finding(outings, database) for database in TARGETS],
        faults=[
            f"{one.name}, {one.way}: {one.written:,} of {one.rows:,} rows are there"
            for one in outings
            if one.written != one.rows
        ],
        rounds=[{**asdict(one), "rate": one.rate} for one in outings],
    )


def _of(outings: Sequence[Outing], way: str, name: str) -> list[Outing]:
    return [one for one in outings if (one.way, one.name) == (way, name)]


def _row(rounds: Sequence[Outing]) -> tuple[str, int, float, float, int]:
    first = rounds[0]
    return (
        f"{first.rows:,} messages of Celery" if first.way == MESSAGES else f"{first.name}, {first.way}",
        round(median(one.rate for one in rounds)),
        median(one.cpu / one.rows * 1_000_000 for one in rounds),
        max(one.peak_mb for one in rounds),
        round(max(one.broker_bytes for one in rounds) / 1_024),
    )


def _finding(outings: Sequence[Outing], database: str) -> str:
    mine, bare = (_of(outings, way, database) for way in WAYS)
    rate = median(one.rate for one in mine)
    share = median(one.rate / other.rate for one, other in zip(mine, bare, strict=True))
    times = rate / median(one.rate for one in _of(outings, MESSAGES, "sqlite"))
    return (
        f"{database}: {rate:,.0f} rows a second (target {TARGETS[database]:,}), {share:.2f} of bare {BARE[database]} "
        f"(target {TARGET_OF_BARE}), {times:.0f} times Celery's messages (target {TARGET_MESSAGES:.0f}), "
        f"{max(one.peak_mb for one in mine):.0f} MB at the most (target {TARGET_MB:.0f})"
    )


def _write(sheet: Path, rows: int) -> None:
    with sheet.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("custom_id", "text", "voice_1"))
        lines.writerows((f"line-{n:07}", text(n), "Kore" if n % 2 else "Puck") for n in range(1, rows + 1))


def _go(way: str, kind: str, sheet: Path, rows: int, shared: Services) -> Outing:
    assert shared.postgres is not None
    shared.valkey.flush()
    with temporary_folder() as folder:
        name = f"ingest_{way}"
        url = f"sqlite:///{folder}/queue.db" if kind == "sqlite" else shared.postgres.create_database(name)
        try:
            with closing(Database(url, connections=2)) as database:
                schema.upgrade(database)
                settings = environment(TTSQ_DATABASE_URL=url, TTSQ_BROKER_URL=shared.valkey.url)
                idle = _process("nothing", sheet, folder, settings)
                before = _broker_bytes(shared)
                done = _process(way, sheet, folder, settings)
                grown = _broker_bytes(shared) - before
                with database.read() as connection:
                    written = done.count if way == MESSAGES else jobs.counts(connection, jobs.all_jobs()).total
        finally:
            if kind != "sqlite":
                shared.postgres.drop_database(name)
    return Outing(kind, way, rows, done.seconds, done.cpu - idle.cpu, done.peak_mb, grown, written)


@dataclass(frozen=True, slots=True)
class _Done:
    """What a process said of itself, and the CPU seconds that it took from start to end."""

    count: int
    seconds: float
    peak_mb: float
    cpu: float


def _process(way: str, sheet: Path, folder: Path, settings: dict[str, str]) -> _Done:
    command = [sys.executable, "-m", "benchmarks.ingesting", way, str(sheet)]
    with Measured(way, command, folder, settings) as process:
        cpu = process.wait(PATIENCE_SECONDS).cpu_seconds
        count, seconds, peak_mb = process.log.split()[-3:]
    return _Done(int(count), float(seconds), float(peak_mb), cpu)


def _broker_bytes(shared: Services) -> int:
    with closing(shared.valkey.client()) as client:
        found: dict[str, int] = client.info("memory")
    return int(found["used_memory"])
