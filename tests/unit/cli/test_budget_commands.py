"""A run whose rest is held by a budget: when it ends, and how it is resumed."""

from __future__ import annotations

import shlex
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from api_models.status import JobStatus
from tests.factories import NOW
from worker.cli.run import summary
from worker.cli.run.follow import SURE_SECONDS, Patience
from worker.cli.run.order import Order
from worker.cli.snapshot import Snapshot, used_up
from worker.intake.validation import Defaults
from worker.store.money.budgets import Budget
from worker.store.queries.jobs import Counts

BATCH = UUID("01a1fd72-f8f8-726d-92bf-40351fa64fe1")
OF_BATCH = Budget(
    tenant="default",
    batch_id=BATCH,
    month=None,
    name="texts.csv",
    limit=Decimal(1),
    spent=Decimal("0.9983"),
    reserved=Decimal(0),
    wanted=Decimal("0.0067"),
)
OF_MONTH = replace(OF_BATCH, batch_id=None, month="2026-11", name="default", limit=Decimal(20), spent=Decimal("19.999"))
ORDER = Order(
    source=Path("my texts.csv"), defaults=Defaults(model="gemini-2.5-flash-tts"), out=Path("a b"), resume=False
)


def standing(*budgets: Budget, held: int = 1, **states: int) -> Snapshot:
    """A snapshot with these counts per state."""
    counts = Counts({JobStatus(name): number for name, number in states.items()})
    return Snapshot(counts, held, (), NOW, budgets)


def test_a_budget_is_used_up_when_the_next_call_is_not_covered() -> None:
    """To the last digit. Calls in flight may still turn out cheaper; without queued jobs nothing is held."""
    assert used_up(OF_BATCH)
    assert not used_up(replace(OF_BATCH, spent=Decimal("0.9933")))
    assert not used_up(replace(OF_BATCH, spent=Decimal("0.5"), reserved=Decimal("0.5")))
    assert not used_up(replace(OF_BATCH, wanted=None))


@pytest.mark.parametrize(
    ("snapshot", "waits"),
    [
        (standing(OF_BATCH, succeeded=3, queued=2), True),
        (standing(OF_MONTH, queued=2), True),
        (standing(queued=2), False),
        (standing(OF_BATCH, queued=2, running=1), False),
        (standing(OF_BATCH, queued=2, dispatched=1), False),
        (standing(OF_BATCH, queued=2, scheduled=1), False),
        (standing(OF_BATCH, succeeded=2, held=0), False),
        (standing(replace(OF_BATCH, limit=Decimal(2)), queued=2), False),
    ],
)
def test_a_run_waits_for_money_when_nothing_else_is_missing(snapshot: Snapshot, *, waits: bool) -> None:
    """Not while a call is under way, nor while a job waits for its time: either may change everything."""
    assert snapshot.waits_for_money is waits
    assert snapshot.stands_still is waits


def test_a_run_ends_when_it_has_waited_for_money_long_enough_to_be_sure() -> None:
    """A change restarts the wait."""
    seconds = [0.0]
    patience = Patience(lambda: seconds[0])
    stuck, moving = standing(OF_BATCH, queued=2), standing(OF_BATCH, queued=1, running=1)
    assert not patience.is_exhausted(stuck)
    seconds[0] = SURE_SECONDS - 0.1
    assert not patience.is_exhausted(stuck)
    assert not patience.is_exhausted(moving)
    seconds[0] = SURE_SECONDS + 0.1
    assert not patience.is_exhausted(stuck)
    seconds[0] = 2 * SURE_SECONDS + 0.2
    assert patience.is_exhausted(stuck)


def test_the_resuming_command_is_the_same_with_a_higher_budget() -> None:
    """Quoted for a shell; never with --fresh, which would buy everything again."""
    (line,) = summary.remedies(ORDER, [OF_BATCH], Decimal("5.70"))
    words = shlex.split(line)
    assert words[:2] == ["ttsq", "run"]
    assert words[2:-1] == ["my texts.csv", "--model", "gemini-2.5-flash-tts", "--out", "a b", "--max-cost"]
    assert Decimal(words[-1]) == Decimal("7.28")  # 0.9983 + 5.70 × 1.1 + 0.0067, rounded up to a cent
    assert "--fresh" not in line


def test_a_months_budget_is_raised_first_and_then_the_command_resumes() -> None:
    """Or one waits for the next one."""
    lines = list(summary.remedies(ORDER, [OF_MONTH], Decimal(1)))
    assert lines[0].strip() == "ttsq budget set default 21.11"
    assert "2026-12-01 00:00 UTC" in lines[1]
    assert lines[2].strip().startswith("ttsq run ")
    assert "--max-cost" not in lines[2]


def test_an_input_that_came_through_a_pipe_has_to_come_again() -> None:
    """The batch can be raised without it."""
    lines = [line.strip() for line in summary.remedies(replace(ORDER, source=None), [OF_BATCH], Decimal(1))]
    assert lines[0] == "ttsq budget batch 01a1fd72-f8f8 2.11"
    assert lines[1].startswith("ttsq run - ")
    assert lines[1].endswith("(with the same input)")


def test_each_budget_that_holds_shows_what_is_spent() -> None:
    """And of no other."""
    rich = replace(OF_MONTH, limit=Decimal(99))
    assert summary.describe_spent([OF_BATCH, rich]) == "$0.9983 of the run's budget of $1.0000"
    assert "default's budget for 2026-11 of $20.0000" in summary.describe_spent([OF_MONTH])
