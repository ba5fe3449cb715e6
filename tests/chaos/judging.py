"""From a cluster at work to a judgement: bring it to its end, collect its history, hold it against the promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from api_models.verdict import VerdictKind
from tests.chaos import books, checks, collecting, ending, stories
from tests.chaos.books import Books
from tests.chaos.cluster_harness import Stage
from tests.chaos.history import History
from tests.chaos.violations import Violation


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a run."""

    history: History
    books: Books
    violations: tuple[Violation, ...]
    stories: tuple[str, ...]
    """The whole history of the jobs that a violation is about."""
    loaded_until: datetime
    """When no more work came in."""
    drain_seconds: float


def judge(stage: Stage, *, permitted_again: Callable[[History], int] | None = None) -> Judgement:
    """End the run and judge it. `permitted_again` says how many calls may have been paid to no use."""
    loaded_until = datetime.now(UTC)
    drain_seconds = ending.bring_to_end(stage)
    history = collecting.collect(stage)
    compared = books.compare(history)
    bound = None if permitted_again is None else permitted_again(history)
    found = checks.violations(history, compared, permitted_again=bound)
    return Judgement(
        history, compared, tuple(found), stories.of_jobs(stage, history, found), loaded_until, drain_seconds
    )


def with_more(judgement: Judgement, stage: Stage, more: Sequence[Violation]) -> Judgement:
    """The same with violations that only its part knows of."""
    told = stories.of_jobs(stage, judgement.history, more)
    return replace(judgement, violations=(*judgement.violations, *more), stories=(*judgement.stories, *told))


def lost_at_kills(history: History) -> int:
    """Attempts that ended with their worker: calls in flight at a kill, which may have been billed.

    A late one among them is one whose answer was found in the dead worker's spool.
    """
    return sum(row.verdict in {VerdictKind.LOST, VerdictKind.LATE} for row in history.attempts)


def unheard_submissions(history: History) -> int:
    """Attempts that died between a submission and the commit of its handle (v2): all that may be paid again there."""
    return sum(
        row.verdict == VerdictKind.LOST and row.possibly_billed and row.request_id is None for row in history.attempts
    )
