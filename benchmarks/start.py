"""How long a job waits that comes into an idle system, from its commit to its call; and how long commands take."""

from __future__ import annotations

import http.client
import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from api_models.access import EVERYTHING
from api_models.speech import JobRequest
from benchmarks import commands, harness
from benchmarks.plots import Bars
from benchmarks.processes import Measured
from benchmarks.report import Report
from benchmarks.texts import text
from tests.cluster.cluster import Cluster
from tests.cluster.processes import EmulatorProcess
from tests.cluster.services import own_services
from tests.cluster.shape import Shape, StoreKind
from tests.cluster.waiting import wait_for
from worker import producer
from worker.emulator.config import EmulatorConfig
from worker.store.access import api_keys
from worker.store.database import Database

P50_MS: Final = 30.0
P99_MS: Final = 100.0
HELP_SECONDS: Final = 0.3
ONE_LINE_SECONDS: Final = 1.5
SHORTEST_GAP_SECONDS: Final = 0.05
SETTLE_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 60.0
LISTENS: Final = re.compile(r"Gateway listening at (\S+)")

Submit = Callable[[int], float]
"""Submits the job with this number; returns the time from which it waits, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    jobs: int = 50
    """Of each way to hand them in, one at a time."""
    gap: float = 0.25
    """Seconds between two of them, on average: they come at random."""
    latency: float = 0.02
    """Seconds a call takes."""
    workers: int = 2
    slots: int = 10
    rounds: int = 5
    """Of each command."""
    seed: int = 1


FULL: Final = Knobs(jobs=200, gap=0.4, rounds=15)


@dataclass(frozen=True, slots=True)
class Waits:
    """Waits of the jobs submitted in one way, in milliseconds, ascending."""

    way: str
    ms: Sequence[float]

    def at(self, share: float) -> float:
        """The quantile `share` (0 to 1) of the waits."""
        return self.ms[min(len(self.ms) - 1, int(share * len(self.ms)))]


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Jobs into PostgreSQL and into SQLite, from a program and over HTTP; then the commands."""
    waits = [*_on_servers(knobs), *_embedded(knobs)]
    for one in waits:
        say(f"{one.way}: {one.at(0.5):.0f} ms, p99 {one.at(0.99):.0f} ms")
    helps = commands.help_seconds(knobs.rounds)
    lines = commands.one_line_seconds(knobs.rounds)
    return _report(knobs, waits, helps, lines)


def _on_servers(knobs: Knobs) -> Iterator[Waits]:
    shape = Shape(
        knobs.workers,
        knobs.slots,
        latency_seconds=knobs.latency,
        emulator=EmulatorConfig(audio_bytes=24_044),
        store=StoreKind.FOLDER,
        settings={"SEGMIND_RPM": "unlimited"},
    )
    with own_services(shape) as services, Cluster(shape, services) as cluster:
        cluster.wait_for_leader()
        with cluster.database.begin() as connection:
            now = cluster.database.now(connection)
            _, key = api_keys.make(
                connection, tenant="default", name="start", scopes=EVERYTHING, rate=None, budget=None, now=now
            )
        own = _by_program(cluster.database, cluster.emulator.base_url)
        yield waits_of("PostgreSQL, a program's own transaction", own, cluster.emulator, knobs)
        settings = harness.environment(**cluster.environment())
        with gateway_process(["serve"], settings) as (address, _), closing(_Poster(address, key)) as post:
            yield waits_of("PostgreSQL, HTTP", post, cluster.emulator, knobs)


def _embedded(knobs: Knobs) -> Iterator[Waits]:
    config = EmulatorConfig(latency_seconds=knobs.latency, audio_bytes=24_044)
    with harness.temporary_folder() as folder, harness.emulator(config, folder) as emulator:
        url = f"sqlite:///{folder}/queue.db"
        settings = harness.environment(
            SEGMIND_BASE_URL=emulator.base_url,
            SEGMIND_API_KEY=emulator.key,
            SEGMIND_RPM="unlimited",
            TTSQ_TAKE_CHECKS="off",
            TTSQ_DATABASE_URL=url,
            TTSQ_CONCURRENCY=str(knobs.slots),
        )
        with gateway_process(["serve", "--all-in-one"], settings) as (address, _), closing(Database(url)) as database:
            with closing(_Poster(address, None)) as post:
                yield waits_of("SQLite, HTTP, all in one", post, emulator, knobs)
            yield waits_of("SQLite, another process", _by_program(database, emulator.base_url), emulator, knobs)


def waits_of(way: str, submit: Submit, emulator: EmulatorProcess, knobs: Knobs) -> Waits:
    rng = random.Random(knobs.seed)
    before = emulator.admin.state(detail=False).calls
    time.sleep(SETTLE_SECONDS)
    begun = []
    for number in range(knobs.jobs):
        begun.append(submit(before + number))
        time.sleep(SHORTEST_GAP_SECONDS + rng.expovariate(1 / (knobs.gap - SHORTEST_GAP_SECONDS)))
    wait_for(
        lambda: emulator.admin.state(detail=False).billed_calls == before + knobs.jobs,
        seconds=PATIENCE_SECONDS,
        what="all calls made",
    )
    # Paired in time order, not by job: the total wait is the same for any pairing.
    came = sorted(emulator.admin.state().admitted_at)[before:]
    return Waits(way, sorted(1_000 * (call - start) for start, call in zip(begun, came, strict=True)))


def _by_program(database: Database, origin: str) -> Submit:
    def submit(number: int) -> float:
        with database.begin() as connection:
            producer.enqueue(connection, JobRequest(text=text(number), cache="bypass"), origin=origin)
        return time.time()

    return submit


class _Poster:
    """One kept connection to a gateway. A job waits from the moment in which its request is sent."""

    def __init__(self, address: str, key: str | None) -> None:
        place = urlsplit(address)
        self._connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=PATIENCE_SECONDS)
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})

    def __call__(self, number: int) -> float:
        body = json.dumps({"text": text(number), "cache": "bypass"})
        began = time.time()
        self._connection.request("POST", "/v1/jobs", body, self._headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 202:
            raise RuntimeError(f"the gateway answered {answer.status}: {said[:500]!r}")
        return began

    def close(self) -> None:
        self._connection.close()


@contextmanager
def gateway_process(words: Sequence[str], settings: dict[str, str]) -> Iterator[tuple[str, int]]:
    """`ttsq serve` in a process and a folder of its own; where it listens, and its process id."""
    command = [sys.executable, "-u", "-m", "worker.cli", *words, "--port", "0"]
    with harness.temporary_folder() as folder, Measured("gateway", command, folder, settings) as process:
        process.await_line("Gateway listening at")
        found = LISTENS.search(process.log)
        assert found is not None
        yield found[1], process.pid
        process.stop()


def _report(knobs: Knobs, waits: Sequence[Waits], helps: Sequence[float], lines: Sequence[float]) -> Report:
    rows = [(one.way, one.at(0.5), one.at(0.95), one.at(0.99), one.at(1)) for one in waits]
    p50, p99 = max(one.at(0.5) for one in waits), max(one.at(0.99) for one in waits)
    return Report(
        name="start",
        title=(
            f"{knobs.jobs} single jobs a way into an idle system, {knobs.gap:g} s apart at random, from the commit"
            f" (over HTTP: from the request) to the call; {knobs.workers} workers; then `ttsq` at a terminal"
        ),
        columns=("", "p50 ms", "p95 ms", "p99 ms", "longest ms"),
        rows=[*rows, *(_command(name, found) for name, found in (("`ttsq --help`", helps), ("`ttsq run`", lines)))],
        findings=[
            f"half begin within {p50:.0f} ms (target: {P50_MS:g}), 99 in 100 within {p99:.0f} ms (target: {P99_MS:g})",
            f"`ttsq --help` takes {median(helps):.2f} s (target: {HELP_SECONDS:g} s)",
            f"`ttsq run` of one line, process start to file: {median(lines):.2f} s (target: {ONE_LINE_SECONDS:g} s)",
        ],
        rounds=[{"way": one.way, "ms": ms} for one in waits for ms in one.ms],
        plot=Bars(
            ("p50 ms", "p99 ms"),
            axis="ms from the commit to the call",
            target=P99_MS,
            aim="p99 at most",
            leave_out=("`ttsq --help`", "`ttsq run`"),
        ),
    )


def _command(name: str, seconds: Sequence[float]) -> tuple[str, float, float, float, float]:
    found = Waits(name, sorted(1_000 * one for one in seconds))
    return (name, found.at(0.5), found.at(0.95), found.at(0.99), found.at(1))
