"""The history held against every promise. Pure: it sees what was collected and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from api_models.status import TERMINAL, JobStatus
from tests.chaos.books import Books
from tests.chaos.history import AttemptEnd, History, JobEnd
from tests.chaos.violations import Breach, Violation


def violations(history: History, books: Books, *, permitted_again: int | None = None) -> list[Violation]:
    """Everything in it that must not be. `permitted_again` bounds how many calls may have been paid to no use."""
    found = [*_acceptance(history), *books.faults, *_objects(history), *_leavings(history), *_workers(history)]
    attempts = history.attempts_by_job()
    for job in history.jobs:
        found += _ending(job, attempts.get(job.id, []))
    if permitted_again is not None and books.again > permitted_again:
        words = f"{books.again} calls were billed and ended no job; {permitted_again} were in flight at a kill"
        found.append(Violation(Breach.BOUGHT_AGAIN, words))
    return found


def _acceptance(history: History) -> Iterator[Violation]:
    """What was confirmed is there."""
    present = Counter(job.batch_id for job in history.jobs)
    for batch, total in history.accepted.items():
        if present[batch] != total:
            yield Violation(Breach.LOST, f"batch {batch} had {total} jobs and has {present[batch]}")


def _ending(job: JobEnd, attempts: list[AttemptEnd]) -> Iterator[Violation]:
    """It ended once, and well."""
    if job.status not in TERMINAL:
        yield Violation(Breach.UNFINISHED, f"is {job.status}", job.id)
        return
    if job.status != JobStatus.SUCCEEDED:
        yield Violation(Breach.FAILED, f"is {job.status}: {job.code}, {job.message}", job.id)
        return
    successes = [attempt.number for attempt in attempts if attempt.succeeded]
    if not successes:
        yield Violation(Breach.NOT_RECORDED, "no attempt says that it succeeded", job.id)
    if len(successes) > 1:
        yield Violation(Breach.RECORDED_TWICE, f"attempts {successes} all ended it", job.id)


def _objects(history: History) -> Iterator[Violation]:
    """Each object that a row names is there and is the one; no other object is there."""
    named = {attempt.take_uri for attempt in history.attempts}
    for job in history.jobs:
        if job.status != JobStatus.SUCCEEDED:
            continue
        named.add(job.uri)
        stored = history.objects.get(job.uri or "")
        if stored is None:
            yield Violation(Breach.OBJECT_MISSING, f"{job.uri} is not there", job.id)
        elif stored != job.sha256:
            yield Violation(Breach.OBJECT_CHANGED, f"{job.uri} has {stored}, the row {job.sha256}", job.id)
    for uri in sorted(history.objects.keys() - named):
        yield Violation(Breach.ORPHAN, f"{uri} is named by no row")


def _leavings(history: History) -> Iterator[Violation]:
    for name in history.spooled:
        yield Violation(Breach.LEFT_IN_SPOOL, name)
    if history.messages:
        yield Violation(Breach.LEFT_IN_BROKER, f"{history.messages} messages")
    for gate in history.gates:
        yield Violation(Breach.GATE_CLOSED, gate)


def _workers(history: History) -> Iterator[Violation]:
    for line in history.surprises:
        yield Violation(Breach.SURPRISED, line)
    for gone in history.exits:
        if gone.signed_on:
            words = f"{gone.host} at {gone.at:%H:%M:%S} with status {gone.status}:\n{gone.last_words}"
            yield Violation(Breach.LEFT_BY_ITSELF, words)
    for words in history.trouble:
        yield Violation(Breach.RUN_FAILED, words)
