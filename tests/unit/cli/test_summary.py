"""What a run says at its end."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from tests.factories import NOW
from worker.cli.console.terminal import Terminal
from worker.cli.run.follow import stopping_messages
from worker.cli.run.summary import SHOWN_FAILURES, Ending, Shortage, describe_failure, summarize
from worker.cli.snapshot import Snapshot
from worker.store.queries.jobs import Counts, JobRecord

BATCH = UUID("01a1fd72-f8f8-726d-92bf-40351fa64fef")


def ending(
    *, cost: str = "0.0134", cached: int = 0, failures: list[JobRecord] | None = None, **changes: object
) -> Ending:
    """Two texts spoken in 34 seconds, unless said otherwise."""
    states = {JobStatus(name): count for name, count in changes.pop("states", {"succeeded": 2}).items()}  # type: ignore[attr-defined]
    plain: dict[str, object] = {
        "snapshot": Snapshot(Counts(states, cached, Decimal(cost)), 0, (), NOW),
        "batch": BATCH,
        "place": "audio/texts",
        "seconds": 34.2,
        "spent_before": Decimal(0),
        "done_before": 0,
        "failures": failures or [],
        "problems": [],
        "rehearsal": False,
    }
    return Ending(**(plain | changes))  # type: ignore[arg-type]


def a_failure(line: int, *, status: JobStatus = JobStatus.FAILED, custom_id: str | None = None) -> JobRecord:
    """A job that was refused."""
    unset = dict.fromkeys(JobRecord.__slots__)
    given = {"id": uuid7(), "line": line, "custom_id": custom_id or f"{line:04}", "status": status}
    return JobRecord(**(unset | given | {"code": "invalid_request", "message": "The API refuses\nthis request"}))  # type: ignore[arg-type]


def said(capsys: pytest.CaptureFixture[str], end: Ending, *, quiet: bool = False) -> str:
    """Everything that is printed, from both streams."""
    summarize(Terminal(quiet=quiet), end)
    shown = capsys.readouterr()
    return shown.out + shown.err


def test_a_run_that_went_well_says_where_and_for_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    """The folder, the cost, the batch to ask for later."""
    assert said(capsys, ending()).splitlines() == [
        "✓ 2 texts spoken in 34 s",
        "  audio   audio/texts",
        "  spent   $0.0134",
        "  batch   01a1fd72-f8f8",
    ]


def test_failures_are_named_by_line_with_the_apis_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Enough to mend the file; the rest is counted, and the way to all of them named."""
    states = {"succeeded": 3, "failed": 12, "cancelled": 1}
    text = said(capsys, ending(states=states, failures=[a_failure(line) for line in range(2, 13)]))
    assert text.splitlines()[0] == "✗ 3 of 16 texts spoken, 12 failed, 1 cancelled, in 34 s"
    assert "  line 2: invalid_request: The API refuses this request" in text
    assert text.count("invalid_request") == SHOWN_FAILURES
    assert "and 2 more: `ttsq jobs list --batch 01a1fd72-f8f8`" in text
    assert "Repeat the command to retry failed texts; accepted audio is not bought again." in text


def test_a_quiet_run_still_names_its_failures(capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing else."""
    text = said(capsys, ending(states={"succeeded": 1, "failed": 1}, failures=[a_failure(7)]), quiet=True)
    assert text == "  line 7: invalid_request: The API refuses this request\n"


def test_a_resumed_run_separates_new_cost_from_old(capsys: pytest.CaptureFixture[str]) -> None:
    """What this command spent, and what the batch has cost in total."""
    text = said(capsys, ending(spent_before=Decimal("0.01"), done_before=1))
    assert "$0.0034 now, $0.0134 in total" in text


def test_a_run_with_nothing_left_to_do_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """The same command, given again after all was done."""
    text = said(capsys, ending(spent_before=Decimal("0.0134"), done_before=2))
    assert "All 2 texts were already spoken; nothing to buy" in text


def test_copies_of_earlier_audio_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Why it was cheaper than expected."""
    assert "1 copied from earlier audio at no cost" in said(capsys, ending(cached=1))


def test_a_rehearsal_says_that_no_money_was_spent(capsys: pytest.CaptureFixture[str]) -> None:
    """And what the real thing would cost."""
    text = said(capsys, ending(rehearsal=True))
    assert "rehearsal with the emulator" in text
    assert "nothing" in text
    assert "$0.0134" in text
    assert "batch" not in text


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (a_failure(12, custom_id="intro-2"), "line 12, intro-2: invalid_request: The API refuses this request"),
        (a_failure(12), "line 12: invalid_request: The API refuses this request"),
        (a_failure(3, status=JobStatus.EXPIRED), "line 3: expired, invalid_request: The API refuses this request"),
    ],
)
def test_a_failure_is_one_line(job: JobRecord, words: str) -> None:
    """Where it stands, its name where that says more than the line, and why."""
    assert describe_failure(job) == words


def test_a_run_held_by_its_budget_names_the_command_that_resumes_it(capsys: pytest.CaptureFixture[str]) -> None:
    """What is spent, how much is held, what the rest needs, and the command; nothing of trying again what failed."""
    shortage = Shortage(
        3, "$0.0134 of the run's budget of $0.0150", Decimal("0.0201"), ["  ttsq run a.csv --max-cost 0.05"]
    )
    states = {"succeeded": 2, "queued": 3}
    lines = said(capsys, ending(states=states, shortage=shortage)).splitlines()
    assert lines[0] == "■ 2 of 5 texts spoken, 3 held by the budget, in 34 s"
    assert lines[-2:] == [
        (
            "  $0.0134 of the run's budget of $0.0150 spent: the remaining texts need about $0.0201 more."
            " Nothing failed; to continue:"
        ),
        "    ttsq run a.csv --max-cost 0.05",
    ]
    quiet = said(capsys, ending(states=states, shortage=shortage), quiet=True)
    assert "--max-cost 0.05" in quiet


def test_a_stop_waits_for_calls_and_not_for_messages() -> None:
    """100 slots can't have 106 calls: six of these messages no worker has taken yet."""
    states = {JobStatus.RUNNING: 100, JobStatus.DISPATCHED: 6, JobStatus.QUEUED: 50}
    (said,) = stopping_messages(Snapshot(Counts(states, 0, Decimal(0)), 0, (), NOW), 0, complete=False)
    assert "waiting for 100 calls in flight" in said
