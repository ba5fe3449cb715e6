"""How well bad takes are told from good ones, through workers, servers and store: what is refused, what is stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.plots import Bars
from benchmarks.report import Report
from tests.cluster import spoiling
from tests.cluster.cluster import Cluster
from tests.cluster.services import own_services
from tests.cluster.spoiling import GOOD, Sorted

TARGET: Final = 0.99
SECONDS_PER_JOB: Final = 1.0


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    jobs: int = 2_000
    seed: int = 1


FULL: Final = Knobs(jobs=6_000)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """One batch."""
    shape, began = spoiling.shape(), time.monotonic()
    with own_services(shape) as services, Cluster(shape, services) as cluster:
        batch = cluster.submit(spoiling.texts(knobs.jobs, knobs.seed))
        cluster.wait_until_done(batch, 60 + SECONDS_PER_JOB * knobs.jobs)
        seconds = time.monotonic() - began
        say(f"{knobs.jobs} jobs over after {seconds:.0f} s")
        return _report(spoiling.sort(cluster, batch), knobs)


def _report(found: Sorted, knobs: Knobs) -> Report:
    kinds = [GOOD, *sorted(found.served.keys() - {GOOD})]
    share = found.bad_refused / found.bad
    faults = [
        (share < TARGET, f"only {found.bad_refused} of {found.bad} bad takes were refused"),
        (found.refused[GOOD] > 0, f"{found.refused[GOOD]} good takes were refused"),
        (found.unfinished > 0, f"{found.unfinished} jobs did not succeed"),
        (found.wrong_files > 0, f"{found.wrong_files} files are not a good take"),
        (found.unkept > 0, f"{found.unkept} refused takes are not where the ledger says"),
    ]
    return Report(
        name="takes",
        title=f"{knobs.jobs} texts on PostgreSQL, Redis and S3, of which the API spoils every ninth first take",
        columns=("takes", "served", "refused", "share"),
        rows=[
            (kind, found.served[kind], found.refused[kind], f"{found.refused[kind] / found.served[kind]:.1%}")
            for kind in kinds
        ],
        findings=[
            f"{share:.2%} of {found.bad} bad takes were refused (target: at least {TARGET:.0%})",
            f"{found.refused[GOOD]} of {found.served[GOOD]} good takes were refused (target: none)",
            f"{knobs.jobs - found.wrong_files} of {knobs.jobs} files are, byte for byte, the good take of their text",
        ],
        faults=[words for wrong, words in faults if wrong],
        plot=Bars(("served", "refused"), axis="takes", leave_out=("good",)),
    )
