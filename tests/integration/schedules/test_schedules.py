"""Schedules on both databases: each due time is recorded once and run once, and a faulty sheet submits nothing."""

from __future__ import annotations

import sqlite3
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

from tests.integration.schedules.schedule_harness import (
    EVERY_MINUTE,
    MINUTE,
    PASSWORD,
    SECOND,
    ScheduleHarness,
    harness,
)
from tests.servers.s3 import Bucket
from worker.intake.validation import Defaults
from worker.schedules.options import Options
from worker.schedules.runner import MAX_ATTEMPTS, _Reading
from worker.schedules.scheduler import AGAIN_SECONDS
from worker.store import schedules
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.schedules import RunKey, RunRecord, RunState
from worker.store.tables.jobs import Job

__all__ = ["harness"]


def test_a_due_time_is_written_down_with_the_next_one(harness: ScheduleHarness) -> None:
    """The run is then sent exactly once."""
    schedule = harness.add()
    [key] = harness.poll()
    assert key == RunKey("default", "nightly", schedule.next_due_at or harness.now())
    with harness.database.read() as connection:
        after = schedules.by_name(connection, "default", "nightly")
    assert after is not None
    assert after.next_due_at is not None
    assert schedule.next_due_at is not None
    assert after.next_due_at > schedule.next_due_at
    assert [run.state for run in harness.runs()] == [RunState.DUE]
    assert harness.poll() == []


def test_two_leaders_that_look_at_once_write_a_due_time_once(harness: ScheduleHarness) -> None:
    """The late leader finds the due time recorded, and starts no run."""
    harness.add()
    barrier = threading.Barrier(4)
    now = harness.now()

    def poll() -> None:
        barrier.wait()
        harness.scheduler.run_once(now)

    threads = [threading.Thread(target=poll) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(harness.runs()) == 1
    assert len(harness.sent) == 1


def test_a_run_hands_its_file_in_as_a_batch(harness: ScheduleHarness) -> None:
    """The run is done, and names it; a second message for it changes nothing."""
    harness.add()
    [key] = harness.poll()
    assert harness.runner.run(key) is RunState.DONE
    assert harness.runner.run(key) is None
    [(batch, texts)] = harness.batches().items()
    assert texts == ["Good night.", "Sleep well."]
    assert [(run.state, run.batch_id, run.attempts) for run in harness.runs()] == [(RunState.DONE, batch, 1)]
    assert harness.poll(after=timedelta(seconds=2 * AGAIN_SECONDS))[1:] == []


def test_every_time_makes_a_batch_of_its_own(harness: ScheduleHarness) -> None:
    """Also of the same lines."""
    harness.add(cron=EVERY_MINUTE)
    harness.run_due()
    for key in harness.poll(after=MINUTE):
        harness.runner.run(key)
    assert list(harness.batches().values()) == [["Good night.", "Sleep well."]] * 2


def test_a_lost_message_is_sent_again(harness: ScheduleHarness) -> None:
    """After a while, and not before."""
    harness.add(next_due_at=harness.now())
    [key] = harness.poll()
    assert harness.poll(after=timedelta(seconds=AGAIN_SECONDS - 3)) == []
    assert key in harness.poll(after=timedelta(seconds=AGAIN_SECONDS + 3))


def test_a_worker_that_dies_with_a_run_is_followed_by_another(harness: ScheduleHarness) -> None:
    """Once its claim has lapsed; nothing of the run was submitted before."""
    harness.add()
    [key] = harness.poll()
    claim(harness, key)
    assert harness.runner.run(key) is None
    assert harness.poll() == []
    assert harness.batches() == {}
    with harness.database.begin() as connection:
        lapse = harness.now() - SECOND
        [run] = schedules.runs(connection, "default", "nightly", most=1)
        assert run.next_at is not None
    assert harness.poll(after=run.next_at - lapse)[:1] == [key]
    assert harness.runner.run(key) is RunState.DONE
    assert len(harness.batches()) == 1


def test_a_worker_that_was_only_slow_and_its_follower_hand_in_once(harness: ScheduleHarness) -> None:
    """Both have read the source; the transaction of the second leaves nothing behind."""
    harness.add()
    [key] = harness.poll()
    slow = claim(harness, key)
    with harness.database.begin() as connection:
        assert schedules.send(connection, slow, again_at=harness.now() + MINUTE)
    assert harness.runner.run(key) is RunState.DONE
    with harness.database.read() as connection:
        schedule = schedules.by_name(connection, "default", "nightly")
    assert schedule is not None
    assert harness.runner._submit(slow, schedule, _Reading(Path(schedule.source), Options(), slow.due_at, None)) is None
    assert len(harness.batches()) == 1


def test_a_run_that_kills_its_workers_is_given_up(harness: ScheduleHarness) -> None:
    """After a few of them; an event says so."""
    harness.add()
    [key] = harness.poll()
    for _ in range(MAX_ATTEMPTS):
        lost = claim(harness, key)
        with harness.database.begin() as connection:
            schedules.send(connection, lost, again_at=harness.now() + MINUTE)
    assert harness.runner.run(key) is RunState.FAILED
    assert [event.subject for event in harness.events_of(events.SCHEDULE_FAILED)] == ["nightly"]
    assert harness.batches() == {}


def claim(harness: ScheduleHarness, key: RunKey) -> RunRecord:
    """A worker claims a run, and dies."""
    with harness.database.begin() as connection:
        run = schedules.claim(connection, key, lapses_at=lambda _: harness.now() + MINUTE)
    assert run is not None
    return run


def test_bad_lines_fail_a_run_as_a_whole(harness: ScheduleHarness) -> None:
    """Its message lists the first faults, an event is written, and nothing is submitted."""
    harness.add(source=harness.sheet("text,voice_1\nGood night.,Kore\nSleep well.,kora\n"))
    assert harness.run_due() == [RunState.FAILED]
    [run] = harness.runs()
    assert run.message is not None
    assert run.message.startswith("line 3, voice_1: no voice")
    [event] = harness.events_of(events.SCHEDULE_FAILED)
    assert event.data["message"] == run.message
    assert harness.batches() == {}


def test_a_missing_file_fails_its_run(harness: ScheduleHarness) -> None:
    """The next time looks for it anew."""
    harness.add(source=str(harness.folder / "gone.csv"))
    assert harness.run_due() == [RunState.FAILED]
    assert harness.runs()[0].message == "there is no such file"


def test_a_due_time_without_a_worker(harness: ScheduleHarness) -> None:
    """Made up for while it is recent; otherwise recorded as missed, with an event, and the schedule advances."""
    now = harness.now()
    harness.add(next_due_at=now - 3_000 * SECOND)
    assert harness.run_due() == [RunState.DONE]
    with harness.database.begin() as connection:
        schedules.remove(connection, "default", "nightly")
    harness.add(next_due_at=now - 4_000 * SECOND)
    assert harness.poll() == []
    assert {run.state for run in harness.runs()} == {RunState.DONE, RunState.MISSED}
    assert len(harness.events_of(events.SCHEDULE_MISSED)) == 1
    with harness.database.read() as connection:
        schedule = schedules.by_name(connection, "default", "nightly")
    assert schedule is not None
    assert schedule.next_due_at is not None
    assert schedule.next_due_at > now


def test_a_paused_schedule_comes_due_only_after_its_resumption(harness: ScheduleHarness) -> None:
    """What passed meanwhile isn't made up for."""
    harness.add()
    now = harness.now()
    with harness.database.begin() as connection:
        assert schedules.pause(connection, "default", "nightly", now=now)
        assert not schedules.pause(connection, "default", "nightly", now=now)
    assert harness.poll() == []
    with harness.database.begin() as connection:
        assert schedules.resume(connection, "default", "nightly", next_due_at=now + 30 * SECOND)
        assert not schedules.resume(connection, "default", "nightly", next_due_at=now)
    assert harness.poll() == []
    assert [key.due_at for key in harness.poll(after=31 * SECOND)] == [now + 30 * SECOND]


def test_what_is_due_goes_with_its_schedule(harness: ScheduleHarness) -> None:
    """A worker that has it in hand hands nothing in; what has run stays on record."""
    harness.add(cron=EVERY_MINUTE)
    harness.run_due()
    [key] = harness.poll(after=MINUTE)
    run = claim(harness, key)
    with harness.database.begin() as connection:
        assert schedules.remove(connection, "default", "nightly")
        assert not schedules.remove(connection, "default", "nightly")
        assert not schedules.conclude(connection, run.key, RunState.DONE, now=harness.now())
    assert harness.runner.run(key) is None
    assert [run.state for run in harness.runs()] == [RunState.DONE]
    assert len(harness.batches()) == 1


def test_a_query_of_a_producers_database_is_submitted(harness: ScheduleHarness) -> None:
    """Its columns are fields; what is empty is left to the schedule's defaults."""
    cms(harness, ("1", "Good night.", "Kore"), ("2", "Sleep well.", None))
    harness.add(source="SELECT id AS custom_id, text, voice_1 FROM news", options=options(voice_1="Puck"))
    assert harness.run_due() == [RunState.DONE]
    with harness.database.read() as connection:
        rows = connection.execute(select(Job.custom_id, Job.text, Job.voice_1).order_by(Job.id)).all()
    assert [tuple(row) for row in rows] == [("1", "Good night.", "Kore"), ("2", "Sleep well.", "Puck")]


def test_a_query_without_rows_is_done_and_hands_nothing_in(harness: ScheduleHarness) -> None:
    """A quiet night is no failure."""
    cms(harness)
    harness.add(source="SELECT text FROM news", options=options())
    assert harness.run_due() == [RunState.DONE]
    assert "nothing was submitted" in (harness.runs()[0].message or "")
    assert harness.batches() == {}


def test_a_wrong_query_fails_at_once(harness: ScheduleHarness) -> None:
    """In the database's words."""
    cms(harness)
    harness.add(source="SELECT text FROM newz", options=options())
    assert harness.run_due() == [RunState.FAILED]
    assert "no such table" in (harness.runs()[0].message or "")


def test_a_variable_that_no_worker_has_is_named(harness: ScheduleHarness) -> None:
    """The remedy is in the words."""
    harness.add(source="SELECT 1", options=options())
    assert harness.run_due() == [RunState.FAILED]
    assert "CMS_DATABASE_URL is not set" in (harness.runs()[0].message or "")


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql+psycopg://reader:{PASSWORD}@127.0.0.1:1/cms?connect_timeout=2",
        f"nonsense:{PASSWORD}",
        f"oddbase://reader:{PASSWORD}@127.0.0.1/cms",
    ],
)
def test_no_address_of_a_database_is_written_down(harness: ScheduleHarness, address: str) -> None:
    """Neither in the run nor in an event, whatever is wrong with it."""
    harness.variables["CMS_DATABASE_URL"] = address
    harness.add(source="SELECT 1", options=options())
    [state] = harness.run_due()
    told = [harness.runs()[0].message or "", *(str(event.data) for event in harness.events_of(events.SCHEDULE_FAILED))]
    assert state in {RunState.FAILED, RunState.DUE}
    assert "CMS_DATABASE_URL" in told[0]
    assert all(PASSWORD not in words for words in told)


def test_a_database_that_is_away_is_tried_again(harness: ScheduleHarness) -> None:
    """After a pause that grows; in the end the run fails."""
    harness.variables["CMS_DATABASE_URL"] = "postgresql+psycopg://reader@127.0.0.1:1/cms?connect_timeout=2"
    harness.add(source="SELECT 1", options=options())
    assert harness.run_due() == [RunState.DUE]
    assert harness.poll() == []
    pauses = []
    for _ in range(MAX_ATTEMPTS - 1):
        [run] = harness.runs()
        assert run.next_at is not None
        pauses.append((run.next_at - harness.now()).total_seconds())
        [key] = harness.poll(after=timedelta(days=1))
        state = harness.runner.run(key)
    assert state is RunState.FAILED
    assert pauses == sorted(pauses)
    assert pauses[-1] > 100


def cms(harness: ScheduleHarness, *rows: tuple[str, str, str | None]) -> None:
    """A producer's own database."""
    path = harness.folder / "cms.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE news (id INTEGER, text TEXT, voice_1 TEXT)")
        connection.executemany("INSERT INTO news VALUES (?, ?, ?)", rows)
    connection.close()
    harness.variables["CMS_DATABASE_URL"] = f"sqlite:///{path}"


def options(**fields: Any) -> str:  # noqa: ANN401 - any field
    """For a query."""
    return Options(database_env="CMS_DATABASE_URL", defaults=Defaults(**fields)).kept()


def test_an_object_in_a_bucket_is_submitted(
    on_sqlite: Database, tmp_path: Path, s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever process wrote it there; a missing file fails its run."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    client = s3.client()
    client.put_object(Bucket=s3.name, Key="exports/night.csv", Body=b"text\nGood night.\n")
    client.close()
    harness = ScheduleHarness(on_sqlite, tmp_path)
    harness.add(source=f"{s3.url}/exports/night.csv")
    harness.add(name="gone", source=f"{s3.url}/exports/gone.csv")
    assert sorted(map(str, harness.run_due())) == ["done", "failed"]
    assert list(harness.batches().values()) == [["Good night."]]


def test_an_unknown_run_is_ignored(on_sqlite: Database, tmp_path: Path) -> None:
    """A message for a schedule that is not there changes nothing, and the next run is carried out."""
    harness = ScheduleHarness(on_sqlite, tmp_path)
    harness.add()
    [key] = harness.poll()
    harness.runner.run_message(RunKey("default", str(uuid7()), harness.now()))
    harness.runner.run_message(key)
    assert [run.state for run in harness.runs()] == [RunState.DONE]
