"""How much memory one worker takes for audio that is far larger than speech ever is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api_models.speech import JobRequest
from api_models.status import TERMINAL, JobStatus
from benchmarks import harness, sink
from benchmarks.plots import Bars
from benchmarks.processes import Measured, Usage
from benchmarks.report import Report
from benchmarks.texts import text
from tests.cluster.services import new_place
from worker import producer
from worker.emulator.config import EmulatorConfig
from worker.intake.validation import Row
from worker.results.files import CONTENT_TYPES
from worker.store import schema
from worker.store.database import Database
from worker.store.queries import jobs
from worker.store.queries.jobs import Counts

TARGET_MB: Final = 300.0
MEGABYTE: Final = 1_000_000
POLL_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 60.0
SECONDS_PER_MEGABYTE: Final = 0.1
"""What a slow machine may take."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is spoken."""

    objects: int = 64
    megabytes: int = 30
    """Of one object; a megabyte is a million bytes."""
    slots: int = 16
    latency: float = 0.2
    """Seconds to the first byte of an answer."""
    checks: str = "off"
    """`on` measures every take besides, and refuses it: this audio fits no text. Then only memory means anything."""


FULL: Final = Knobs(objects=1_000)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One worker's work, done."""

    counts: Counts
    seconds: float
    usage: Usage
    idle_mb: float
    """Of the worker before its first job."""
    most_spooled: int
    """Bytes in the spool at the worst moment seen."""
    sizes: list[int]
    """Of all objects that were stored, in bytes."""
    faults: list[str]
    """What the store had to complain of."""


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """One run."""
    outcome = _run(knobs, say)
    total = knobs.objects * knobs.megabytes
    faults = [f"the sink: {fault}" for fault in outcome.faults]
    if outcome.counts.of(JobStatus.SUCCEEDED) != knobs.objects or len(outcome.sizes) != knobs.objects:
        faults.append(f"{outcome.counts.by_status}, {len(outcome.sizes)} of {knobs.objects} objects stored")
    if set(outcome.sizes) != {knobs.megabytes * MEGABYTE}:
        faults.append(f"objects of {set(outcome.sizes)} bytes")
    peak = outcome.usage.peak_mb
    return Report(
        name="large",
        title=f"{knobs.objects:,} objects of {knobs.megabytes} MB through one worker with {knobs.slots} slots",
        columns=("", "idle MB", "peak MB", "spool MB", "seconds", "MB/s", "CPU s"),
        rows=[
            (
                "worker",
                outcome.idle_mb,
                peak,
                outcome.most_spooled / MEGABYTE,
                outcome.seconds,
                total / outcome.seconds,
                outcome.usage.cpu_seconds,
            )
        ],
        findings=[
            f"peak memory {peak:.0f} MiB (target: at most {TARGET_MB:.0f}), {peak - outcome.idle_mb:.0f} above idle",
            f"in flight at once: up to {knobs.slots * knobs.megabytes} MB of audio",
        ],
        faults=faults,
        plot=Bars(("idle MB", "peak MB"), axis="MB of memory", target=TARGET_MB, aim="at most"),
    )


def _run(knobs: Knobs, say: Callable[[str], None]) -> Outcome:
    config = EmulatorConfig(latency_seconds=knobs.latency, audio_bytes=knobs.megabytes * MEGABYTE)
    with (
        harness.services() as services,
        harness.temporary_folder() as folder,
        new_place(services, folder) as place,
        harness.emulator(config, folder) as emulator,
        sink.running(folder) as drain,
        closing(Database(place.database_url, connections=4)) as database,
    ):
        schema.upgrade(database)
        settings = {
            **place.environment(),
            **drain.settings(),
            "SEGMIND_BASE_URL": emulator.base_url,
            "SEGMIND_API_KEY": emulator.key,
            "TTSQ_CONCURRENCY": str(knobs.slots),
            "TTSQ_TAKE_CHECKS": knobs.checks,
            "TTSQ_SPOOL_DIR": str(folder / "spool"),
        }
        command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker"]
        with Measured("worker", command, folder, harness.environment(**settings)) as worker:
            worker.await_line("worker_started")
            idle_mb = _resident_mb(worker.pid)
            began = time.monotonic()
            _submit(database, emulator.base_url, knobs.objects)
            counts, most_spooled = _watch(database, worker, folder / "spool", knobs, say)
            seconds = time.monotonic() - began
            usage, books = worker.stop(), drain.books()
            sizes = [size for key, size in books["sizes"].items() if not key.endswith(tuple(CONTENT_TYPES))]
            faults = list(books["faults"])
            return Outcome(counts, seconds, usage, idle_mb, most_spooled, sizes, faults)


def _submit(database: Database, origin: str, objects: int) -> None:
    rows = [Row(number, JobRequest(text=text(number), custom_id=f"{number:06}")) for number in range(1, objects + 1)]
    with database.begin() as connection:
        producer.submit_batch(connection, rows, name="large", origin=origin, output_url=None)


def _watch(
    database: Database, worker: Measured, spool: Path, knobs: Knobs, say: Callable[[str], None]
) -> tuple[Counts, int]:
    """Wait until all jobs have finished; return the counts and the peak size of the spool in bytes."""
    deadline = time.monotonic() + PATIENCE_SECONDS + knobs.objects * knobs.megabytes * SECONDS_PER_MEGABYTE
    most, told = 0, 0
    while time.monotonic() < deadline:
        with database.read() as connection:
            counts = jobs.counts(connection, jobs.all_jobs())
        most = max(most, _bytes_in(spool))
        done = counts.of(*TERMINAL)
        if done == counts.total:
            break
        if done // 100 > told:
            told = done // 100
            say(f"{done} objects, {_resident_mb(worker.pid):.0f} MiB")
        time.sleep(POLL_SECONDS)
    return counts, most


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue  # done with meanwhile
    return total


def _resident_mb(pid: int) -> float:
    """What a process has in memory now, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))
