"""Jobs a second that one gateway process stores in PostgreSQL, the latency, and the responses under overload."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from api_models.access import EVERYTHING
from benchmarks.harness import environment, temporary_folder
from benchmarks.plots import Bars
from benchmarks.processes import Measured
from benchmarks.report import Report
from tests.servers.postgres import Postgres
from worker.store import schema
from worker.store.access import api_keys
from worker.store.database import Database
from worker.store.queries import jobs

TARGET: Final = 1_000.0
OVERLOAD_CONNECTIONS: Final = 200
"""More than one key may have requests under way."""
LISTENS: Final = "Gateway listening at "


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    seconds: float = 10.0
    rate: float = TARGET
    """POSTs a second."""
    overload: float = 4.0
    """The second run's rate, as a multiple of the first's."""
    connections: int = 60


FULL: Final = Knobs(seconds=60.0)


@dataclass(frozen=True, slots=True)
class Round:
    """One run."""

    rate: float
    answer: dict[str, Any]
    rows: int
    cpu_seconds: float

    @property
    def accepted(self) -> int:
        """Requests answered 202."""
        found: int = self.answer["statuses"].get("202", 0)
        return found


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """The rate that is asked for, and then far too much."""
    with Postgres() as postgres:
        rounds = [
            _round(postgres, knobs.rate, knobs.connections, knobs, say),
            _round(postgres, knobs.rate * knobs.overload, OVERLOAD_CONNECTIONS, knobs, say),
        ]
    return Report(
        name="gateway",
        title="Jobs over HTTP into PostgreSQL: one process of each, gateway and load",
        columns=("POSTs a second", "accepted a second", "p50 ms", "p99 ms", "worst ms", "CPU ms a job", "answers"),
        rows=[_row(one, knobs) for one in rounds],
        findings=[
            f"{one.rate:,.0f} a second asked, {one.accepted / knobs.seconds:,.0f} taken:"
            f" {one.accepted / knobs.seconds / one.rate:.2f} of it"
            for one in rounds
        ],
        faults=[fault for one in rounds for fault in _faults(one)],
        plot=Bars(("accepted a second",), axis="jobs accepted a second", target=knobs.rate, aim="at least"),
    )


def _round(postgres: Postgres, rate: float, connections: int, knobs: Knobs, say: Callable[[str], None]) -> Round:
    say(f"{rate:,.0f} a second for {knobs.seconds:.0f} s")
    name = f"gateway_{int(rate)}"
    database = Database(postgres.create_database(name))
    schema.upgrade(database)
    with database.begin() as connection:
        _, key = api_keys.make(
            connection,
            tenant="acme",
            name="load",
            scopes=EVERYTHING,
            rate=None,
            budget=None,
            now=database.now(connection),
        )
    settings = environment(
        TTSQ_DATABASE_URL=database.url.render_as_string(hide_password=False),
        TTSQ_BROKER_URL="redis://127.0.0.1:9/0",
    )
    command = [sys.executable, "-u", "-m", "worker.cli", "serve", "--port", "0"]
    with temporary_folder() as folder, Measured("gateway", command, folder, settings) as gateway:
        gateway.await_line(LISTENS)
        found = re.search(LISTENS + r"(\S+)", gateway.log)
        assert found is not None
        load = [sys.executable, "-m", "benchmarks.gateway_load", found[1], key]
        load += [str(number) for number in (rate, knobs.seconds, connections)]
        done = subprocess.run(load, env=settings, capture_output=True, text=True, check=True)
        usage = gateway.stop()
    with database.read() as connection:
        rows = jobs.counts(connection, jobs.all_jobs()).total
    database.close()
    postgres.drop_database(name)
    return Round(rate, json.loads(done.stdout), rows, usage.cpu_seconds)


def _row(one: Round, knobs: Knobs) -> tuple[str | float, ...]:
    ms = [1_000 * one.answer[name] for name in ("p50", "p99", "worst")]
    answers = ", ".join(f"{status}: {number:,}" for status, number in sorted(one.answer["statuses"].items()))
    answers += f", unsent: {one.answer['unsent']:,}" if one.answer["unsent"] else ""
    each = 1_000 * one.cpu_seconds / max(1, one.accepted)
    return (f"{one.rate:,.0f}", one.accepted / knobs.seconds, *ms, each, answers)


def _faults(one: Round) -> list[str]:
    faults = []
    if one.rows != one.accepted:
        faults.append(f"{one.accepted:,} were accepted and {one.rows:,} are rows")
    if strange := set(one.answer["statuses"]) - {"202", "429", "503"}:
        faults.append(f"some were answered {', '.join(sorted(strange))}")
    if one.answer["without_retry_after"]:
        faults.append(f"{one.answer['without_retry_after']:,} refusals did not say when to come again")
    return faults
