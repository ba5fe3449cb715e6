"""The same texts again and again over two batches that race, and a worker killed: what is billed, and what is saved."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from api_models.status import JobStatus
from benchmarks.plots import Bars
from benchmarks.report import Report
from benchmarks.texts import text
from tests.cluster.cluster import Cluster
from tests.cluster.money import PRICE
from tests.cluster.services import own_services
from tests.cluster.shape import Shape
from worker.emulator.config import EmulatorConfig
from worker.emulator.ledger import State
from worker.store.queries.jobs import JobRecord

PATIENCE_SECONDS = 1_800.0


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    lines: int = 500
    """Of both batches together."""
    repeated: float = 0.4
    """The part of them whose text another line has too."""
    workers: int = 2
    slots: int = 20
    """Of each worker."""
    latency: float = 3.0
    seed: int = 1

    @property
    def distinct(self) -> int:
        """Texts."""
        return self.lines - int(self.lines * self.repeated)

    def shape(self) -> Shape:
        """As the cluster takes it. Over v2 a worker that dies takes no call with it."""
        emulator = EmulatorConfig(audio_bytes=24_044, jitter=0.3, seed=self.seed)
        settings = {"SEGMIND_RPM": "unlimited", "SEGMIND_API": "v2"}
        return Shape(self.workers, self.slots, latency_seconds=self.latency, emulator=emulator, settings=settings)


FULL = Knobs(lines=10_000, slots=50)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    jobs: list[JobRecord]
    objects: set[str]
    """Addresses of the audio in the bucket."""
    bill: State
    spent: dict[str, Any]
    """What `ttsq spend` says in all."""
    in_doubt: int
    """Attempts that may have been billed."""
    unexplained: set[str]
    """Texts that were billed more than once, and of which no attempt is in doubt."""

    @property
    def again(self) -> int:
        """Calls billed beyond one a text."""
        return sum(times - 1 for times in self.bill.billed_texts.values())


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """One cluster."""
    rng = random.Random(knobs.seed)
    texts = [text(number % knobs.distinct) for number in range(knobs.lines)]
    rng.shuffle(texts)
    shape = knobs.shape()
    with own_services(shape) as services, Cluster(shape, services) as cluster:
        half = knobs.lines // 2
        batches = [cluster.submit(texts[:half], name="one"), cluster.submit(texts[half:], name="other")]
        cluster.wait_until_succeeded(batches[0], half // 2, PATIENCE_SECONDS)
        cluster.kill(cluster.workers[0])
        say("a worker is killed")
        cluster.add_worker()
        for batch in batches:
            cluster.wait_until_done(batch, PATIENCE_SECONDS)
        outcome = _outcome(cluster, batches)
    return _report(knobs, outcome)


def _outcome(cluster: Cluster, batches: list[UUID]) -> Outcome:
    shown = cluster.ttsq("spend", "--json")
    doubtful = [ended for batch in batches for ended in cluster.seen.attempts(batch) if ended.possibly_billed]
    assert cluster.place.bucket is not None
    address, keys = cluster.place.bucket.url, cluster.seen.keys()
    return Outcome(
        jobs=[job for batch in batches for job in cluster.seen.jobs(batch)],
        objects={f"{address}/{key}" for key in keys if key.endswith(".wav")},
        bill=cluster.emulator.state,
        spent=json.loads(shown.stdout)["total"],
        in_doubt=len(doubtful),
        unexplained=cluster.seen.billed_twice() - cluster.seen.texts_of(doubtful),
    )


def _report(knobs: Knobs, found: Outcome) -> Report:
    copies = sum(job.cached for job in found.jobs)
    saved = Decimal(found.spent["saved"])
    return Report(
        name="twins",
        title=(
            f"{knobs.lines:,} lines with {knobs.distinct:,} texts in two batches at once, on PostgreSQL, Redis and S3;"
            f" {knobs.workers} workers with {knobs.slots} slots, one of them killed"
        ),
        columns=("", "succeeded", "texts", "billed calls", "billed again", "copies", "objects", "paid $", "saved $"),
        rows=[
            (
                "both batches",
                sum(job.status == JobStatus.SUCCEEDED for job in found.jobs),
                knobs.distinct,
                sum(found.bill.billed_texts.values()),
                found.again,
                copies,
                len(found.objects),
                f"{found.bill.billed}",
                f"{saved}",
            )
        ],
        findings=[
            f"{found.again} calls billed beyond one a text, unheard of when their worker was killed",
            f"{found.in_doubt} attempts say that they may have been billed; the ledger has one call a text",
            f"`ttsq spend` says ${saved} saved; {copies} copies of calls at ${PRICE} are ${copies * PRICE}",
        ],
        faults=_faults(knobs, found, copies, saved),
        plot=Bars(("texts", "billed calls", "copies"), axis=f"of {knobs.lines:,} lines"),
    )


def _faults(knobs: Knobs, found: Outcome, copies: int, saved: Decimal) -> list[str]:
    faults = []
    if {job.status for job in found.jobs} != {JobStatus.SUCCEEDED}:
        faults.append("not all lines were spoken")
    if {job.uri for job in found.jobs} != found.objects or len(found.objects) != knobs.lines:
        faults.append(f"{knobs.lines} lines have {len(found.objects)} objects")
    if found.unexplained or len(found.bill.billed_texts) != knobs.distinct:
        faults.append(f"{len(found.unexplained)} texts were billed again, and nothing says so")
    if Decimal(found.spent["paid"]) != knobs.distinct * PRICE:
        faults.append(f"the ledger has {found.spent['paid']}, and one call a text is {knobs.distinct * PRICE}")
    if found.bill.billed != (knobs.distinct + found.again) * PRICE:
        faults.append(f"the bill is {found.bill.billed}")
    if copies != knobs.lines - knobs.distinct or saved != copies * PRICE or found.spent["copies"] != copies:
        faults.append(f"{copies} copies should have saved {copies * PRICE}, not {saved}")
    return faults
