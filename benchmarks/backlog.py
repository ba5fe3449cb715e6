"""Whether anything gets slower with the backlog: a tick, a claim, what users ask, and the way from submit to start.

The queue grows behind one long past, and each figure is taken at each length. What waits is the same number of batches
of the same number of tenants each time: a tick goes through their number, and not through their lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from celery import Celery

from benchmarks import harness
from benchmarks.driving import broker_bytes
from benchmarks.plots import Lines, Series
from benchmarks.report import Report
from benchmarks.stock import OnDisk
from benchmarks.texts import text
from benchmarks.waiting_line import WaitingLine
from tests.servers.valkey import Valkey
from worker.store.database import Database
from worker.telemetry import logs

TARGET: Final = 1.5
"""The largest of a figure over its smallest, on PostgreSQL."""
TARGET_BROKER_MB: Final = 5.0
BYTES_PER_MB: Final = 1_000_000
MILLION: Final = 1_000_000
LENGTHS: Final = (1_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Knobs:
    """How much is there."""

    over: int = 200_000
    """Jobs that are over, with their attempts, on PostgreSQL."""
    over_sqlite: int = 100_000
    most: int = 100_000
    """Of what waits: the lengths are 1,000, 100,000 and 1,000,000, as far as this."""
    ticks: int = 40
    """At 1,000 that wait, no more than about 90: each starts some of them."""
    asks: int = 15
    """Of each question."""
    singles: int = 20
    messages: int = 5_000
    """Of the tutorial pattern, in the broker."""

    @property
    def lengths(self) -> list[int]:
        """Of the queue."""
        return [length for length in LENGTHS if length <= self.most]


FULL: Final = Knobs(over=10_000_000, over_sqlite=1_000_000, most=1_000_000, asks=21, singles=50, messages=50_000)


@dataclass(slots=True)
class Found:
    """What was measured on one database, by name: the seconds at each length."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    broker_bytes: list[int] = field(default_factory=list)

    def note(self, found: dict[str, float]) -> None:
        """One length more."""
        for name, seconds in found.items():
            self.seconds.setdefault(name, []).append(seconds)

    def ratio(self, name: str) -> float:
        """The largest over the smallest."""
        return max(self.seconds[name]) / min(self.seconds[name])


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """PostgreSQL with everything, SQLite with what needs no worker beside it, and the tutorial pattern's broker."""
    with OnDisk() as postgres, Valkey() as valkey, harness.temporary_folder() as folder, logs.silenced():
        with closing(Database(postgres.create_database("backlog"), connections=4)) as database:
            ours = _go(WaitingLine(database, valkey, folder, knobs.over), knobs, say)
        postgres.drop_database("backlog")
        with closing(Database(f"sqlite:///{folder}/queue.db")) as database:
            on_sqlite = _go(WaitingLine(database, valkey, folder, knobs.over_sqlite), knobs, say)
        theirs = _tutorial_bytes(valkey, knobs.messages)
    return _report(knobs, ours, on_sqlite, theirs)


def _go(line: WaitingLine, knobs: Knobs, say: Callable[[str], None]) -> Found:
    name, found = "SQLite" if line.database.is_sqlite else "PostgreSQL", Found()
    line.begin()
    say(f"{name}: {line.over:,} jobs are over")
    for length in knobs.lengths:
        line.grow(length)
        seconds = line.drive(knobs.ticks) | line.ask(knobs.asks)
        if not line.database.is_sqlite:
            seconds["submit to start"], grown = line.singles(knobs.singles)
            found.broker_bytes.append(grown)
        found.note(seconds)
        said = ", ".join(f"{what} {1_000 * one:.1f}" for what, one in seconds.items())
        say(f"{name}, {length:,} wait: {said} ms")
    return found


def _tutorial_bytes(valkey: Valkey, messages: int) -> float:
    """What one message of one job takes in the broker, as Celery sends it by default."""
    valkey.flush()
    before = broker_bytes(valkey)
    app = Celery("tutorial", broker=valkey.url, set_as_current=False)
    with app.producer_pool.acquire(block=True) as sender:
        for number in range(messages):
            app.send_task("benchmarks.peers.tutorial.speak", args=[number, text(number)], producer=sender)
    app.close()
    return (broker_bytes(valkey) - before) / messages


def _report(knobs: Knobs, ours: Found, on_sqlite: Found, theirs: float) -> Report:
    worst = max(ours.seconds, key=ours.ratio)
    most = max(ours.broker_bytes) / BYTES_PER_MB
    slowest = (
        f"{worst} on PostgreSQL: the largest is {ours.ratio(worst):.2f} times the smallest"
        f" (target {TARGET:g} for each figure)"
    )
    broker = (
        f"the broker's memory grew by {most:.2f} MB with up to {knobs.lengths[-1]:,} jobs waiting"
        f" (target {TARGET_BROKER_MB:g} MB with a million)"
    )
    tutorial = (
        f"the tutorial pattern's message takes {theirs:,.0f} bytes ({knobs.messages:,} sent):"
        f" a million would take {theirs * MILLION / BYTES_PER_MB:,.0f} MB"
    )
    return Report(
        name="backlog",
        title=(
            f"Beside {knobs.over:,} jobs that are over ({knobs.over_sqlite:,} on SQLite),"
            f" with {', '.join(f'{length:,}' for length in knobs.lengths)} that wait in 100 batches of 10 tenants"
        ),
        columns=("", *(f"{length:,}: ms" for length in knobs.lengths), "largest / smallest"),
        rows=[*_rows("PostgreSQL", ours), *_rows("SQLite", on_sqlite)],
        findings=[slowest, broker, tutorial],
        plot=Lines(
            "jobs that wait",
            "ms",
            [
                Series(name, [(float(length), 1_000 * one) for length, one in zip(knobs.lengths, seconds, strict=True)])
                for name, seconds in ours.seconds.items()
            ],
            logarithmic_x=True,
            logarithmic_y=True,
        ),
    )


def _rows(name: str, found: Found) -> Sequence[Sequence[str | float]]:
    return [
        (f"{name}, {what}", *(1_000 * one for one in seconds), found.ratio(what))
        for what, seconds in found.seconds.items()
    ]
