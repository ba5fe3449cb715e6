"""What a run of the suite says: what was done, how long things took, how the books compare, what was broken."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tests.chaos import figures
from tests.chaos.event_timeline import Chronicle
from tests.chaos.figures import Recovery
from tests.chaos.judging import Judgement


def tell(title: str, chronicle: Chronicle, judgement: Judgement) -> None:
    """Print it all."""
    print(f"\n== {title}")
    _tell_disturbances(chronicle)
    _tell_work(judgement)
    tell_recoveries(figures.recoveries(judgement.history))
    _tell_gaps(chronicle, judgement)
    _tell_books(judgement)
    tell_violations(judgement)


def _tell_disturbances(chronicle: Chronicle) -> None:
    print("disturbances:")
    for what, times in sorted(chronicle.counts().items()):
        print(f"  {times:4} × {what}")
    if chronicle.skipped:
        print(f"  {len(chronicle.skipped):4} skipped: another one was at the same thing")
    unfound = sum(not gone.signed_on for gone in chronicle.exits)
    if unfound:
        print(f"  {unfound:4} starts of workers that found a service away, and were made again")


def _tell_work(judgement: Judgement) -> None:
    history = judgement.history
    states: dict[str, int] = {}
    for job in history.jobs:
        states[job.status] = states.get(job.status, 0) + 1
    verdicts: dict[str, int] = {}
    for row in history.attempts:
        verdicts[row.verdict] = verdicts.get(row.verdict, 0) + 1
    print(
        f"jobs: {len(history.jobs)}, {_listed(states)}; the last ended {judgement.drain_seconds:.1f} s after the load"
    )
    print(f"attempts: {len(history.attempts)}, {_listed(verdicts)}")
    print(f"objects: {len(history.objects)}")


def tell_recoveries(recoveries: Sequence[Recovery]) -> None:
    """From a SIGKILL to the dead worker's jobs running elsewhere."""
    for name, led in (("any worker", None), ("the dispatcher's host", True)):
        times = sorted(recovery.seconds for recovery in recoveries if led is None or recovery.led is led)
        if times:
            told = f"median {statistics.median(times):.1f} s, worst {times[-1]:.1f} s ({len(times)} jobs)"
            print(f"from SIGKILL of {name} to its jobs elsewhere: {told}")


def _tell_gaps(chronicle: Chronicle, judgement: Judgement) -> None:
    gaps = figures.gaps(chronicle.happenings, judgement.history, judgement.loaded_until)
    worst: dict[str, list[float]] = {}
    for gap in gaps:
        worst.setdefault(gap.what, []).append(gap.seconds)
    print("longest time without a success, from each disturbance to twenty seconds after it (median, worst):")
    for what, seconds in sorted(worst.items()):
        print(f"  {statistics.median(seconds):5.1f} s {max(seconds):5.1f} s  {what}")


def _tell_books(judgement: Judgement) -> None:
    books = judgement.books
    unheard = sum((line.cost for line in books.unheard), start=type(books.charged)(0))
    print(
        f"the API billed ${books.billed}; the ledger has ${books.charged}, and ${unheard} may have been billed unheard"
    )
    print(f"billed calls by which no job succeeded: {books.again}")


def tell_violations(judgement: Judgement) -> None:
    """What was broken, with the history of each job concerned."""
    if not judgement.violations:
        print("violations: none")
        return
    print(f"VIOLATIONS: {len(judgement.violations)}")
    for violation in judgement.violations:
        print(f"  {violation.breach}: {violation.words}" + (f" (job {violation.job_id})" if violation.job_id else ""))
    for story in judgement.stories:
        print(story)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
