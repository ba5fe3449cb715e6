"""`ttsq jobs retry` and `ttsq batch retry` of jobs whose takes were paid for in vain: the cost, and on a terminal a
question.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final
from uuid import UUID

import pytest

from api_models.status import JobStatus
from tests.factories import add_batch, add_job, stored
from tests.integration.cli.test_asking import at_a_terminal
from tests.terminal import Ttsq
from worker.cli.run.again import QUESTION
from worker.store.database import Database

COMMANDS: Final = [("jobs", "retry", "--batch", "texts.csv"), ("batch", "retry", "texts.csv")]
COST: Final = (
    "2 texts finished without accepted audio, $0.0402 paid."
    " Retrying takes up to 6 more calls and costs at most about $0.0402."
)

pytestmark = pytest.mark.parametrize("command", COMMANDS, ids=["jobs", "batch"])


@pytest.fixture
def queue(on_sqlite: Database, ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A migrated queue that the command works on."""
    assert ttsq is not None
    monkeypatch.setenv("TTSQ_DATABASE_URL", on_sqlite.url.render_as_string())
    return on_sqlite


@pytest.fixture
def refused(queue: Database) -> list[UUID]:
    """A batch of two jobs that failed with three paid takes each, and one that cost nothing."""
    with queue.begin() as connection:
        batch = add_batch(connection, name="texts.csv", total=3)
        costs = [Decimal("0.0201"), Decimal("0.0201"), Decimal(0)]
        return [
            add_job(
                connection, batch_id=batch, status=JobStatus.FAILED, line=line, cost=cost, takes_used=3 if cost else 0
            )
            for line, cost in enumerate(costs, start=1)
        ]


def states(database: Database, jobs: list[UUID]) -> set[JobStatus]:
    """Those that the jobs are in."""
    with database.read() as connection:
        return {stored(connection, job).status for job in jobs}


def test_a_script_is_told_the_cost_and_not_asked(
    ttsq: Ttsq, queue: Database, refused: list[UUID], command: tuple[str, ...]
) -> None:
    """The command itself asks for the retry."""
    shown = ttsq(*command)
    assert COST in " ".join(shown.err.split())
    assert shown.out.startswith("3 jobs queued again")
    assert states(queue, refused) == {JobStatus.QUEUED}


@pytest.mark.parametrize(("answer", "after"), [("\n", JobStatus.FAILED), ("y\n", JobStatus.QUEUED)])
def test_a_terminal_is_asked(
    queue: Database, refused: list[UUID], command: tuple[str, ...], answer: str, after: JobStatus
) -> None:
    """Enter queues nothing."""
    with at_a_terminal(*command) as typed:
        typed.read_until(QUESTION)
        assert COST in " ".join(typed.shown.split())
        typed.answer(answer)
        assert typed.end() == 0
    assert states(queue, refused) == {after}


def test_yes_skips_the_question(queue: Database, refused: list[UUID], command: tuple[str, ...]) -> None:
    """The cost is printed all the same."""
    with at_a_terminal(*command, "--yes") as typed:
        assert typed.end() == 0
    assert COST in " ".join(typed.shown.split())
    assert QUESTION not in typed.shown
    assert states(queue, refused) == {JobStatus.QUEUED}


def test_jobs_that_cost_nothing_are_retried_without_a_question(queue: Database, command: tuple[str, ...]) -> None:
    """Their calls never brought a bill."""
    with queue.begin() as connection:
        batch = add_batch(connection, name="texts.csv", total=1)
        job = add_job(connection, batch_id=batch, status=JobStatus.FAILED)
    with at_a_terminal(*command) as typed:
        assert typed.end() == 0
    assert QUESTION not in typed.shown
    assert states(queue, [job]) == {JobStatus.QUEUED}
