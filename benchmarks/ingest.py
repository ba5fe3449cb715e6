"""How fast a sheet is handed in, in how little memory, and what the broker has to hold for it.

Beside it, of the same rows: bare COPY (or executemany), which is the database's own bound, and of the first rows one
Celery message each, which is what people do instead.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.processes import Measured
from benchmarks.report import Report
from benchmarks.stage import environment, services, temporary_folder
from benchmarks.texts import text
from tests.cluster.services import Services
from worker.store import schema, views
from worker.store.database import Database

TARGETS: Final = {"postgresql": 20_000, "sqlite": 40_000}
"""Rows a second."""
TARGET_MB: Final = 200.0
PATIENCE_SECONDS: Final = 900.0
WAYS: Final = ("queue", "copy")


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is handed in."""

    rows: int = 50_000
    messages: int = 5_000
    """Of the rows that are published through Celery."""


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
    """Each way once on each database."""
    with temporary_folder() as folder, services() as shared:
        sheet = folder / "lines.csv"
        _write(sheet, knobs.rows)
        outings = []
        for database in TARGETS:
            for way in WAYS:
                outings.append(_go(way, database, sheet, knobs.rows, shared))
                say(f"{database}, {way}: {outings[-1].rate:,.0f} rows/s")
        _write(sheet, knobs.messages)
        outings.append(_go("celery", "sqlite", sheet, knobs.messages, shared))
    mine = {outing.name: outing for outing in outings if outing.way == "queue"}
    return Report(
        name="ingest",
        title=f"A sheet of {knobs.rows:,} rows, judged and handed in",
        columns=("", "rows/s", "µs CPU a row", "peak MB", "broker KB"),
        rows=[
            (
                f"{one.rows:,} messages of Celery" if one.way == "celery" else f"{one.name}, {one.way}",
                round(one.rate),
                one.cpu / one.rows * 1_000_000,
                one.peak_mb,
                round(one.broker_bytes / 1_024),
            )
            for one in outings
        ],
        findings=[
            f"{database}: {one.rate:,.0f} rows a second (target {TARGETS[database]:,}), "
            f"{one.peak_mb:.0f} MB at the most (target {TARGET_MB:.0f})"
            for database, one in mine.items()
        ],
        faults=[
            f"{one.name}, {one.way}: {one.written:,} of {one.rows:,} rows are there"
            for one in outings
            if one.written != one.rows
        ],
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
                idle = _process("nothing", sheet, folder, settings)[1]
                before = _broker_bytes(shared)
                (count, seconds), usage = _process(way, sheet, folder, settings)
                grown = _broker_bytes(shared) - before
                with database.read() as connection:
                    written = count if way == "celery" else views.counts(connection, views.everything()).total
        finally:
            if kind != "sqlite":
                shared.postgres.drop_database(name)
    return Outing(kind, way, rows, seconds, usage[0] - idle[0], usage[1], grown, written)


def _process(
    way: str, sheet: Path, folder: Path, settings: dict[str, str]
) -> tuple[tuple[int, float], tuple[float, float]]:
    """What it said, rows and seconds; and its CPU seconds and peak megabytes."""
    command = [sys.executable, "-m", "benchmarks.ingesting", way, str(sheet)]
    with Measured(way, command, folder, settings) as process:
        usage = process.wait(PATIENCE_SECONDS)
        count, seconds = process.log.split()[-2:]
    return (int(count), float(seconds)), (usage.cpu_seconds, usage.peak_mb)


def _broker_bytes(shared: Services) -> int:
    with closing(shared.valkey.client()) as client:
        found: dict[str, int] = client.info("memory")
    return int(found["used_memory"])
