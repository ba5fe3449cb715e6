"""What one sees while jobs are being done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from api_models.status import JobStatus
from tests.factories import NOW
from worker.cli.console.progress import LINE_SECONDS, Meter, PlainProgress, describe_hold, figures, progress
from worker.cli.console.terminal import Terminal
from worker.cli.snapshot import Snapshot
from worker.store.queries.holds import Hold
from worker.store.queries.jobs import Counts

HOLD = Hold("account", "bad_key", "The API doesn't accept the API key", NOW, NOW + timedelta(seconds=90))


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def snapshot(**by_status: int) -> Snapshot:
    """A snapshot with these counts per state."""
    counts = Counts({JobStatus(name): count for name, count in by_status.items()}, cost=Decimal("0.1541"))
    return Snapshot(counts, 0, (), NOW)


def test_the_figures_say_everything_on_one_line() -> None:
    """Done, failed, held, rate, spent, time left."""
    meter = Meter()
    meter.note(0, 0.0)
    meter.note(24, 24.0)
    now = replace(snapshot(succeeded=23, failed=1, queued=31, running=5), held=0)
    assert figures(now, meter) == (
        "23 succeeded · 1 failed · 0 held · 5 in flight · 60/min · $0.1541 spent · about 36 s remaining"
    )


def test_no_time_is_promised_while_the_queue_is_held() -> None:
    """The end of a hold can't be predicted."""
    meter = Meter()
    meter.note(0, 0.0)
    meter.note(24, 24.0)
    held = replace(snapshot(succeeded=24, queued=36), held=36, holds=(HOLD,))
    assert "36 held" in figures(held, meter)
    assert "left" not in figures(held, meter)


HOLDS = [
    (HOLD, "held by the account since {since}: The API doesn't accept the API key (next check in 1 min 30 s)"),
    (Hold("storage", "no_space", "The disk is full", NOW, NOW), "held by the storage since {since}: The disk is full"),
    (Hold("model:m-1", "model_retired", "Gone", NOW, None), "held, m-1 only, since {since}: Gone"),
    (Hold("pace", "x", "too many", None, NOW + timedelta(seconds=5)), "paused: too many (next check in 5.0 s)"),
    (Hold("workers", "no_workers", "no worker is running", None, None), "waiting: no worker is running"),
]


@pytest.mark.parametrize(("hold", "words"), HOLDS)
def test_a_hold_is_shown_with_its_reason_and_its_beginning(hold: Hold, words: str) -> None:
    """What holds, why, since when, and when it is looked at again."""
    assert describe_hold(hold, NOW) == words.format(since=f"{NOW.astimezone():%H:%M:%S}")


def test_without_a_terminal_a_line_comes_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """Not one for each look: one every ten seconds."""
    clock = Hands()
    with PlainProgress(Terminal(), clock) as view:
        for second in range(25):
            clock.now = float(second)
            view.show(snapshot(succeeded=second, queued=40 - second))
    assert clock.now > 2 * LINE_SECONDS
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["10/40", "20/40"]


def test_without_a_terminal_a_hold_is_printed_at_once_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    """When it begins, and when it ends; not with every look in between."""
    clock = Hands()
    with PlainProgress(Terminal(), clock) as view:
        for held in (False, True, True, True, False, False):
            clock.now += 0.25
            view.show(replace(snapshot(queued=40), holds=(HOLD,) if held else ()))
    told = capsys.readouterr().err.splitlines()
    assert [line[:16] for line in told] == ["held by the acco", "all holds lifted"]


def test_a_lost_database_is_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Until it is back: then the next loss is news again."""
    with PlainProgress(Terminal(), Hands()) as view:
        for _ in range(3):
            view.warn("the database is away")
        view.show(snapshot(queued=1))
        view.warn("the database is away")
    assert capsys.readouterr().err.splitlines() == ["the database is away"] * 2


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither figures nor words."""
    with progress(Terminal(quiet=True), "texts.csv", Hands()) as view:
        view.show(replace(snapshot(queued=40), holds=(HOLD,)))
        view.say("something")
        view.warn("the database is away")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")
