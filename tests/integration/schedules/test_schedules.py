"""Schedules on both databases: each due time is recorded once and run once, and a faulty sheet submits nothing."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

from tests.factories import ORIGIN
from tests.servers.s3 import Bucket
from worker.schedules.options import Options
from worker.schedules.runner import MAX_ATTEMPTS, ScheduleRunner
from worker.schedules.scheduler import AGAIN_SECONDS, Scheduler
from worker.store import schedules
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.schedules import RunKey, RunRecord, RunState, ScheduleRecord
from worker.store.tables.jobs import Batch, Job

ONCE_A_YEAR: Final = "0 0 1 1 *"
"""What is due in a test was made so; the next time is far away."""
EVERY_MINUTE: Final = "* * * * *"
MINUTE: Final = timedelta(minutes=1)
SECOND: Final = timedelta(seconds=1)
PASSWORD: Final = "correct-horse"


@dataclass(slots=True)
class Office:
    """A database with schedules, a timekeeper and a carrier, and the messages between them."""

    database: Database
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    sent: list[RunKey] = field(default_factory=list)

    @property
    def scheduler(self) -> Scheduler:
        """One more."""
        return Scheduler(self.database, self.sent.extend)

    @property
    def carrier(self) -> ScheduleRunner:
        """One more."""
        return ScheduleRunner(self.database, ORIGIN, None, self.variables.get)

    def now(self) -> datetime:
        """The database's time, to the second before."""
        with self.database.read() as connection:
            return self.database.now(connection).replace(microsecond=0)

    def sheet(self, text: str = "text\nGood night.\nSleep well.\n", name: str = "nightly.csv") -> str:
        """A file to submit."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def add(self, **columns: Any) -> ScheduleRecord:  # noqa: ANN401 - any column
        """A schedule that was due a moment ago."""
        now = self.now()
        plain: dict[str, Any] = {
            "tenant": "default",
            "name": "nightly",
            "cron": ONCE_A_YEAR,
            "timezone": "UTC",
            "options": "{}",
        }
        times = {"catch_up_seconds": 3_600, "created_at": now, "next_due_at": now - SECOND}
        source = {} if "source" in columns else {"source": self.sheet()}
        schedule = ScheduleRecord(**(plain | times | source | columns))
        with self.database.begin() as connection:
            assert schedules.add(connection, schedule)
        return schedule

    def look(self, *, after: timedelta = timedelta(0)) -> list[RunKey]:
        """What a timekeeper sends for, now or a while later."""
        self.sent.clear()
        self.scheduler.run_once(self.now() + after)
        return list(self.sent)

    def runs(self) -> list[RunRecord]:
        """What became of the times of `nightly`."""
        with self.database.read() as connection:
            return schedules.runs(connection, "default", "nightly", most=100)

    def batches(self) -> dict[UUID, list[str]]:
        """The submitted texts of each batch."""
        with self.database.read() as connection:
            rows = connection.execute(select(Batch.id, Job.text).join(Job, Job.batch_id == Batch.id).order_by(Job.id))
            found: dict[UUID, list[str]] = {}
            for batch, text in rows:
                found.setdefault(batch, []).append(text)
            return found

    def told(self, kind: str) -> Sequence[events.Event]:
        """Events of this type."""
        with self.database.read() as connection:
            return events.after(connection, 0, most=100, types=[kind])

    def carry(self) -> list[RunState | None]:
        """Look once, and carry out what is sent for."""
        return [self.carrier.run(key) for key in self.look()]


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    """On each database."""
    return Office(database, tmp_path)


def test_a_due_time_is_written_down_with_the_next_one(office: Office) -> None:
    """Then it is sent for, once."""
    schedule = office.add()
    [key] = office.look()
    assert key == RunKey("default", "nightly", schedule.next_due_at or office.now())
    with office.database.read() as connection:
        after = schedules.by_name(connection, "default", "nightly")
    assert after is not None
    assert after.next_due_at is not None
    assert schedule.next_due_at is not None
    assert after.next_due_at > schedule.next_due_at
    assert [run.state for run in office.runs()] == [RunState.DUE]
    assert office.look() == []


def test_two_leaders_that_look_at_once_write_a_due_time_once(office: Office) -> None:
    """The late leader finds the due time recorded, and starts no run."""
    office.add()
    barrier = threading.Barrier(4)
    now = office.now()

    def look() -> None:
        barrier.wait()
        office.scheduler.run_once(now)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(office.runs()) == 1
    assert len(office.sent) == 1


def test_a_run_hands_its_file_in_as_a_batch(office: Office) -> None:
    """The run is done, and names it; a second message for it changes nothing."""
    office.add()
    [key] = office.look()
    assert office.carrier.run(key) is RunState.DONE
    assert office.carrier.run(key) is None
    [(batch, texts)] = office.batches().items()
    assert texts == ["Good night.", "Sleep well."]
    assert [(run.state, run.batch_id, run.attempts) for run in office.runs()] == [(RunState.DONE, batch, 1)]
    assert office.look(after=timedelta(seconds=2 * AGAIN_SECONDS))[1:] == []


def test_every_time_makes_a_batch_of_its_own(office: Office) -> None:
    """Also of the same lines."""
    office.add(cron=EVERY_MINUTE)
    office.carry()
    for key in office.look(after=MINUTE):
        office.carrier.run(key)
    assert list(office.batches().values()) == [["Good night.", "Sleep well."]] * 2


def test_a_lost_message_is_sent_again(office: Office) -> None:
    """After a while, and not before."""
    office.add(next_due_at=office.now())
    [key] = office.look()
    assert office.look(after=timedelta(seconds=AGAIN_SECONDS - 3)) == []
    assert key in office.look(after=timedelta(seconds=AGAIN_SECONDS + 3))


def test_a_worker_that_dies_with_a_run_is_followed_by_another(office: Office) -> None:
    """Once its claim has lapsed; nothing of the run was submitted before."""
    office.add()
    [key] = office.look()
    claim(office, key)
    assert office.carrier.run(key) is None
    assert office.look() == []
    assert office.batches() == {}
    with office.database.begin() as connection:
        lapse = office.now() - SECOND
        [run] = schedules.runs(connection, "default", "nightly", most=1)
        assert run.next_at is not None
    assert office.look(after=run.next_at - lapse)[:1] == [key]
    assert office.carrier.run(key) is RunState.DONE
    assert len(office.batches()) == 1


def test_a_worker_that_was_only_slow_and_its_follower_hand_in_once(office: Office) -> None:
    """Both have read the source; the transaction of the second leaves nothing behind."""
    office.add()
    [key] = office.look()
    slow = claim(office, key)
    with office.database.begin() as connection:
        assert schedules.send(connection, slow, again_at=office.now() + MINUTE)
    assert office.carrier.run(key) is RunState.DONE
    with office.database.read() as connection:
        schedule = schedules.by_name(connection, "default", "nightly")
    assert schedule is not None
    assert office.carrier._submit(slow, schedule, Path(schedule.source), Options()) is None
    assert len(office.batches()) == 1


def test_a_run_that_kills_its_workers_is_given_up(office: Office) -> None:
    """After a few of them; an event says so."""
    office.add()
    [key] = office.look()
    for _ in range(MAX_ATTEMPTS):
        lost = claim(office, key)
        with office.database.begin() as connection:
            schedules.send(connection, lost, again_at=office.now() + MINUTE)
    assert office.carrier.run(key) is RunState.FAILED
    assert [event.subject for event in office.told(events.SCHEDULE_FAILED)] == ["nightly"]
    assert office.batches() == {}


def claim(office: Office, key: RunKey) -> RunRecord:
    """A worker takes a run up, and is not heard of again."""
    with office.database.begin() as connection:
        run = schedules.claim(connection, key, lapses_at=lambda _: office.now() + MINUTE)
    assert run is not None
    return run


def test_bad_lines_fail_a_run_as_a_whole(office: Office) -> None:
    """Its message lists the first faults, an event is written, and nothing is submitted."""
    office.add(source=office.sheet("text,voice_1\nGood night.,Kore\nSleep well.,kora\n"))
    assert office.carry() == [RunState.FAILED]
    [run] = office.runs()
    assert run.message is not None
    assert run.message.startswith("line 3, voice_1: no voice")
    [event] = office.told(events.SCHEDULE_FAILED)
    assert event.data["message"] == run.message
    assert office.batches() == {}


def test_a_missing_file_fails_its_run(office: Office) -> None:
    """The next time looks for it anew."""
    office.add(source=str(office.folder / "gone.csv"))
    assert office.carry() == [RunState.FAILED]
    assert office.runs()[0].message == "there is no such file"


def test_a_due_time_without_a_worker(office: Office) -> None:
    """Made up for while it is recent; otherwise recorded as missed, with an event, and the schedule advances."""
    now = office.now()
    office.add(next_due_at=now - 3_000 * SECOND)
    assert office.carry() == [RunState.DONE]
    with office.database.begin() as connection:
        schedules.remove(connection, "default", "nightly")
    office.add(next_due_at=now - 4_000 * SECOND)
    assert office.look() == []
    assert {run.state for run in office.runs()} == {RunState.DONE, RunState.MISSED}
    assert len(office.told(events.SCHEDULE_MISSED)) == 1
    with office.database.read() as connection:
        schedule = schedules.by_name(connection, "default", "nightly")
    assert schedule is not None
    assert schedule.next_due_at is not None
    assert schedule.next_due_at > now


def test_a_paused_schedule_comes_due_only_after_its_resumption(office: Office) -> None:
    """What passed meanwhile isn't made up for."""
    office.add()
    now = office.now()
    with office.database.begin() as connection:
        assert schedules.pause(connection, "default", "nightly", now=now)
        assert not schedules.pause(connection, "default", "nightly", now=now)
    assert office.look() == []
    with office.database.begin() as connection:
        assert schedules.resume(connection, "default", "nightly", next_due_at=now + 30 * SECOND)
        assert not schedules.resume(connection, "default", "nightly", next_due_at=now)
    assert office.look() == []
    assert [key.due_at for key in office.look(after=31 * SECOND)] == [now + 30 * SECOND]


def test_what_is_due_goes_with_its_schedule(office: Office) -> None:
    """A worker that has it in hand hands nothing in; what has run stays on record."""
    office.add(cron=EVERY_MINUTE)
    office.carry()
    [key] = office.look(after=MINUTE)
    run = claim(office, key)
    with office.database.begin() as connection:
        assert schedules.remove(connection, "default", "nightly")
        assert not schedules.remove(connection, "default", "nightly")
        assert not schedules.conclude(connection, run.key, RunState.DONE, now=office.now())
    assert office.carrier.run(key) is None
    assert [run.state for run in office.runs()] == [RunState.DONE]
    assert len(office.batches()) == 1


def test_a_query_of_a_producers_database_is_submitted(office: Office) -> None:
    """Its columns are fields; what is empty is left to the schedule's defaults."""
    cms(office, ("1", "Good night.", "Kore"), ("2", "Sleep well.", None))
    office.add(source="SELECT id AS custom_id, text, voice_1 FROM news", options=options(voice_1="Puck"))
    assert office.carry() == [RunState.DONE]
    with office.database.read() as connection:
        rows = connection.execute(select(Job.custom_id, Job.text, Job.voice_1).order_by(Job.id)).all()
    assert [tuple(row) for row in rows] == [("1", "Good night.", "Kore"), ("2", "Sleep well.", "Puck")]


def test_a_query_without_rows_is_done_and_hands_nothing_in(office: Office) -> None:
    """A quiet night is no failure."""
    cms(office)
    office.add(source="SELECT text FROM news", options=options())
    assert office.carry() == [RunState.DONE]
    assert "nothing was submitted" in (office.runs()[0].message or "")
    assert office.batches() == {}


def test_a_wrong_query_fails_at_once(office: Office) -> None:
    """In the database's words."""
    cms(office)
    office.add(source="SELECT text FROM newz", options=options())
    assert office.carry() == [RunState.FAILED]
    assert "no such table" in (office.runs()[0].message or "")


def test_a_variable_that_no_worker_has_is_named(office: Office) -> None:
    """The remedy is in the words."""
    office.add(source="SELECT 1", options=options())
    assert office.carry() == [RunState.FAILED]
    assert "CMS_DATABASE_URL is not set" in (office.runs()[0].message or "")


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql+psycopg://reader:{PASSWORD}@127.0.0.1:1/cms?connect_timeout=2",
        f"nonsense:{PASSWORD}",
        f"oddbase://reader:{PASSWORD}@127.0.0.1/cms",
    ],
)
def test_no_address_of_a_database_is_written_down(office: Office, address: str) -> None:
    """Neither in the run nor in an event, whatever is wrong with it."""
    office.variables["CMS_DATABASE_URL"] = address
    office.add(source="SELECT 1", options=options())
    [state] = office.carry()
    told = [office.runs()[0].message or "", *(str(event.data) for event in office.told(events.SCHEDULE_FAILED))]
    assert state in {RunState.FAILED, RunState.DUE}
    assert "CMS_DATABASE_URL" in told[0]
    assert all(PASSWORD not in words for words in told)


def test_a_database_that_is_away_is_tried_again(office: Office) -> None:
    """After a pause that grows; in the end the run fails."""
    office.variables["CMS_DATABASE_URL"] = "postgresql+psycopg://reader@127.0.0.1:1/cms?connect_timeout=2"
    office.add(source="SELECT 1", options=options())
    assert office.carry() == [RunState.DUE]
    assert office.look() == []
    pauses = []
    for _ in range(MAX_ATTEMPTS - 1):
        [run] = office.runs()
        assert run.next_at is not None
        pauses.append((run.next_at - office.now()).total_seconds())
        [key] = office.look(after=timedelta(days=1))
        state = office.carrier.run(key)
    assert state is RunState.FAILED
    assert pauses == sorted(pauses)
    assert pauses[-1] > 100


def cms(office: Office, *rows: tuple[str, str, str | None]) -> None:
    """A producer's own database."""
    path = office.folder / "cms.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE news (id INTEGER, text TEXT, voice_1 TEXT)")
        connection.executemany("INSERT INTO news VALUES (?, ?, ?)", rows)
    connection.close()
    office.variables["CMS_DATABASE_URL"] = f"sqlite:///{path}"


def options(**fields: Any) -> str:  # noqa: ANN401 - any field
    """For a query."""
    return Options(database_env="CMS_DATABASE_URL", **fields).kept()


def test_an_object_in_a_bucket_is_submitted(
    on_sqlite: Database, tmp_path: Path, s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever process wrote it there; a missing file fails its run."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    client = s3.client()
    client.put_object(Bucket=s3.name, Key="exports/night.csv", Body=b"text\nGood night.\n")
    client.close()
    office = Office(on_sqlite, tmp_path)
    office.add(source=f"{s3.url}/exports/night.csv")
    office.add(name="gone", source=f"{s3.url}/exports/gone.csv")
    assert sorted(map(str, office.carry())) == ["done", "failed"]
    assert list(office.batches().values()) == [["Good night."]]


def test_an_unknown_run_is_ignored(on_sqlite: Database, tmp_path: Path) -> None:
    """A message for a schedule that is not there changes nothing, and the next run is carried out."""
    office = Office(on_sqlite, tmp_path)
    office.add()
    [key] = office.look()
    office.carrier.run_message(RunKey("default", str(uuid7()), office.now()))
    office.carrier.run_message(key)
    assert [run.state for run in office.runs()] == [RunState.DONE]
