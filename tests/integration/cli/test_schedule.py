"""`ttsq schedule`: made, looked at, held and taken away. On both databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.terminal import Ttsq
from worker.store import schedules
from worker.store.database import Database
from worker.store.schedules import RunState

ADDRESS = "postgresql://reader:correct-horse@db/cms"


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """A file to submit."""
    path = tmp_path / "night.csv"
    path.write_text("text\nGood night.\n")
    return path


@pytest.mark.usefixtures("queue")
def test_a_schedule_is_made_and_listed(ttsq: Ttsq, sheet: Path) -> None:
    """With its whole path, and when it is due, also by its own clock."""
    made = ttsq("schedule", "add", "nightly", "night.csv", "--cron", "30 2 * * *", "--timezone", "Asia/Kolkata")
    assert made.code == 0, made.err
    assert "02:30 in Asia/Kolkata" in made.out
    assert "T21:00:00Z" in made.out
    [shown] = ttsq("schedule", "list", "--json").lines
    assert shown["source"] == str(sheet)
    assert shown["next_due_at"].endswith("T21:00:00Z")
    assert shown["latest_run"] is None
    assert "never ran" in ttsq("schedule", "list").out


@pytest.mark.usefixtures("queue", "sheet")
def test_without_workers_it_says_who_must_be_running(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the embedded default nothing looks at the clock between two commands; over a broker workers do."""
    made = ttsq("schedule", "add", "a", "night.csv", "--cron", "0 0 * * *")
    assert "keep `ttsq serve --all-in-one` running" in made.err
    monkeypatch.setenv("TTSQ_BROKER_URL", "redis://127.0.0.1:1/0")
    assert ttsq("schedule", "add", "c", "night.csv", "--cron", "0 0 * * *").err == ""


@pytest.mark.usefixtures("queue", "sheet")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a b", "night.csv", "--cron", "* * * * *"), "must be 1 to 64 letters"),
        (("a", "night.csv", "--cron", "* * * *"), "not a cron expression"),
        (("a", "night.csv", "--cron", "* * * * *", "--timezone", "Mars/Base"), "not a time zone"),
        (("a", "night.csv", "--cron", "* * * * *", "--catch-up", "soon"), "is not a duration such as"),
        (("a", "night.csv", "--cron", "* * * * *", "--voice", "kora"), "did you mean"),
        (("a", "SELECT text FROM news", "--cron", "* * * * *"), "--database-env"),
        (("a", "SELECT 1", "--cron", "* * * * *", "--database-env", ADDRESS), "the name of an environment variable"),
    ],
)
def test_an_invalid_schedule_is_refused_at_once(ttsq: Ttsq, arguments: tuple[str, ...], words: str) -> None:
    """Nothing is written, and no address is repeated."""
    refused = ttsq("schedule", "add", *arguments)
    assert refused.code == 2
    assert words in refused.err
    assert "correct-horse" not in refused.err
    assert ttsq("schedule", "list").out.startswith("No schedules")


@pytest.mark.usefixtures("sheet")
def test_a_schedule_is_run_held_and_taken_away(ttsq: Ttsq, queue: Database) -> None:
    """Each command reports what it did; an unknown name is an error."""
    ttsq("schedule", "add", "nightly", "night.csv", "--cron", "30 2 * * *")
    assert (
        "already has a schedule nightly" in ttsq("schedule", "add", "nightly", "night.csv", "--cron", "0 0 * * *").err
    )
    assert "has not run yet" in ttsq("schedule", "runs", "nightly").out
    assert ttsq("schedule", "run", "nightly").code == 0
    [run] = ttsq("schedule", "runs", "nightly", "--json").lines
    assert (run["state"], run["batch"]) == ("due", None)
    assert "is paused." in ttsq("schedule", "pause", "nightly").out
    assert "already" in ttsq("schedule", "pause", "nightly").out
    assert ttsq("schedule", "list", "--json").data["next_due_at"] is None
    assert "next runs" in ttsq("schedule", "resume", "nightly").out
    assert "is not paused" in ttsq("schedule", "resume", "nightly").out
    assert "nightly" in ttsq("schedule", "remove", "nightli").err
    assert ttsq("schedule", "remove", "nightly").code == 0
    with queue.read() as connection:
        assert schedules.every(connection) == []
        assert RunState.DUE not in {one.state for one in schedules.runs(connection, "default", "nightly", most=9)}
