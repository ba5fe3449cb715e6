"""Batches that finish: their result files, their one event, and the search for them. On both databases."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import threading
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from api_models.status import JobStatus
from tests.factories import NOW, SHA256, add_batch, add_job, add_jobs, job_row
from tests.integration.plans import plans
from worker.execution.destinations import Destinations
from worker.results import watcher
from worker.results.finisher import Finisher
from worker.results.watcher import FinishedBatchWatcher
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.queries import jobs, results
from worker.store.tables.jobs import Batch
from worker.store.transitions import actions, completion
from worker.store.transitions.completion import Conclusion

NAMES: Final = ("errors.jsonl", "manifest.csv", "results.jsonl")


def finisher(database: Database, folder: Path) -> Finisher:
    """Writes below this folder."""
    return Finisher(database, Destinations(database, folder.as_uri(), connections=2))


def a_mixed_batch(database: Database, folder: Path, **columns: Any) -> UUID:  # noqa: ANN401 - any column
    """One job succeeded, one failed, one cancelled."""
    with database.begin() as connection:
        batch = add_batch(connection, **({"tenant": "acme", "notify": True, "total": 3} | columns))
        common = {"tenant": "acme", "batch_id": batch}
        spoken = f"{folder.as_uri()}/acme/{batch}/a.wav"
        add_job(
            connection, **common, custom_id="a", line=2, status=JobStatus.SUCCEEDED, text="Not for files.", uri=spoken
        )
        add_job(connection, **common, custom_id="b, c", line=3, status=JobStatus.FAILED, tags=",x,y,")
        add_job(connection, **common, line=4, status=JobStatus.CANCELLED, code="cancelled", message="By request.")
    return batch


def finished(database: Database, batch: UUID) -> Any:  # noqa: ANN401 - a row
    """What the batch's row says of its end."""
    with database.read() as connection:
        return connection.execute(select(Batch.finished_at, Batch.results_uri).where(Batch.id == batch)).one()


def told(database: Database) -> list[str]:
    """The subjects of the events that say that a batch has finished."""
    with database.read() as connection:
        return [event.subject for event in events.after(connection, 0, most=100, types=["batch.finished"])]


def hashes(folder: Path) -> dict[str, str]:
    """Files of a folder, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


def test_a_finished_batch_gets_three_files_beside_its_audio(database: Database, tmp_path: Path) -> None:
    """Successes, errors, and everything; no text is in them. The row says where they are."""
    batch = a_mixed_batch(database, tmp_path)
    assert finisher(database, tmp_path).run(batch)
    folder = tmp_path / "acme" / str(batch)
    assert sorted(hashes(folder)) == sorted(NAMES)
    (spoken,) = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert (spoken["custom_id"], spoken["line"], spoken["audio"]["file"]) == ("a", 2, "a.wav")
    assert (spoken["audio"]["sha256"], spoken["audio"]["bytes"]) == (SHA256, 48_044)
    errors = [json.loads(line) for line in (folder / "errors.jsonl").read_text().splitlines()]
    assert [(line["custom_id"], line["status"], line["code"], line["tags"]) for line in errors] == [
        ("b, c", "failed", "invalid_request", ["x", "y"]),
        (None, "cancelled", "cancelled", []),
    ]
    with (folder / "manifest.csv").open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["custom_id"], row["line"], row["status"], row["file"]) for row in rows] == [
        ("a", "2", "succeeded", "a.wav"),
        ("b, c", "3", "failed", ""),
        ("", "4", "cancelled", ""),
    ]
    assert not any("Not for files" in (folder / name).read_text() for name in NAMES)
    ended = finished(database, batch)
    assert (ended.finished_at is not None, ended.results_uri) == (True, folder.as_uri())
    assert told(database) == [str(batch)]


def test_an_unfinished_batch_is_left_alone(database: Database, tmp_path: Path) -> None:
    """One job that waits is enough."""
    batch = a_mixed_batch(database, tmp_path)
    with database.begin() as connection:
        add_job(connection, tenant="acme", batch_id=batch)
    assert not finisher(database, tmp_path).run(batch)
    assert (finished(database, batch).finished_at, told(database), list(tmp_path.glob("acme/*"))) == (None, [], [])


def test_many_at_once_finish_it_once(database: Database, tmp_path: Path) -> None:
    """All write the same bytes under the same names; one of them wins, and one event is written."""
    batch = a_mixed_batch(database, tmp_path)
    ready, won = threading.Barrier(4), list[bool]()

    def one() -> None:
        own = finisher(database, tmp_path)
        ready.wait()
        won.append(own.run(batch))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(won), told(database)) == ([False, False, False, True], [str(batch)])
    first = hashes(tmp_path / "acme" / str(batch))
    with database.begin() as connection:
        connection.execute(update(Batch).values(finished_at=None))
    assert finisher(database, tmp_path).run(batch)
    assert hashes(tmp_path / "acme" / str(batch)) == first
    assert len(list((tmp_path / "acme" / str(batch)).iterdir())) == 3


def test_a_retry_reopens_the_batch_and_its_next_end_is_reported_again(database: Database, tmp_path: Path) -> None:
    """The files of then replace those of now: an error that is mended is no longer in them."""
    batch = a_mixed_batch(database, tmp_path)
    own = finisher(database, tmp_path)
    assert own.run(batch)
    with database.begin() as connection:
        assert actions.retry(connection, jobs.of_batch(batch), states=[JobStatus.CANCELLED]) == 1
    assert finished(database, batch) == (None, None)
    assert not own.run(batch)
    with database.begin() as connection:
        actions.cancel(connection, jobs.of_batch(batch), now=database.now(connection))
    assert own.run(batch)
    assert told(database) == [str(batch), str(batch)]


def test_files_that_are_out_of_date_finish_nothing(database: Database, tmp_path: Path) -> None:
    """A job was retried, and ended, between the writing and the conclusion: the files are written again."""
    batch = a_mixed_batch(database, tmp_path)
    with database.begin() as connection:
        then = results.standing(connection, batch)
        assert then is not None
        actions.retry(connection, jobs.of_batch(batch), states=[JobStatus.FAILED])
        actions.cancel(connection, jobs.of_batch(batch), now=database.now(connection))
    with database.begin() as connection:
        assert completion.conclude(connection, batch, then, results_uri="x", now=NOW) is Conclusion.LATE
    assert (finished(database, batch).finished_at, told(database)) == (None, [])


@pytest.mark.servers
def test_a_concurrent_change_of_the_batch_is_waited_for_without_holding_up_events(
    on_postgresql: Database, tmp_path: Path
) -> None:
    """Its row is locked by a retry, which must not be waited for while holding the turn of the events."""
    database = on_postgresql
    batch = a_mixed_batch(database, tmp_path)
    with database.read() as connection:
        standing = results.standing(connection, batch)
    assert standing is not None
    with database.begin() as other:
        other.execute(update(Batch).where(Batch.id == batch).values(name="taken"))
        with database.begin() as connection:
            found = completion.conclude(connection, batch, standing, results_uri="x", now=NOW)
    assert found is Conclusion.BUSY
    assert finisher(database, tmp_path).run(batch)


def test_without_endpoints_no_event_is_written(database: Database, tmp_path: Path) -> None:
    """It is finished all the same."""
    batch = a_mixed_batch(database, tmp_path, notify=None)
    assert finisher(database, tmp_path).run(batch)
    assert told(database) == []


def test_a_run_in_a_folder_leaves_files_of_others_alone(database: Database, tmp_path: Path) -> None:
    """Its own files replace those of the run before; beside a foreign `manifest.csv` they get their own folder."""
    first = a_mixed_batch(database, tmp_path, output_url=tmp_path.as_uri())
    second = a_mixed_batch(database, tmp_path, output_url=tmp_path.as_uri())
    own = finisher(database, tmp_path)
    assert own.run(first)
    before = hashes(tmp_path)
    assert own.run(second)
    assert hashes(tmp_path).keys() == before.keys() >= set(NAMES)
    assert hashes(tmp_path)["manifest.csv"] != before["manifest.csv"]
    (tmp_path / "manifest.csv").write_text("text\nMine.\n")
    third = a_mixed_batch(database, tmp_path, output_url=tmp_path.as_uri())
    assert own.run(third)
    assert (tmp_path / "manifest.csv").read_text() == "text\nMine.\n"
    assert sorted(hashes(tmp_path / f"results-{third}")) == sorted(NAMES)
    (spoken,) = (tmp_path / f"results-{third}" / "results.jsonl").read_text().splitlines()
    assert json.loads(spoken)["audio"]["file"] == f"../acme/{third}/a.wav"


def test_an_outage_of_the_store_leaves_the_batch_unfinished(database: Database, tmp_path: Path) -> None:
    """The error is logged, and the batch is tried again."""
    (tmp_path / "blocked").write_text("no folder")
    batch = a_mixed_batch(database, tmp_path)
    assert "blocked" in (finisher(database, tmp_path / "blocked").finish(batch) or "")
    assert (finished(database, batch).finished_at, told(database)) == (None, [])


class TestLookout:
    """Who looks for batches that are over."""

    def test_a_look_reads_no_batch_that_is_finished(self, database: Database) -> None:
        """However many there are: those that aren't are found by an index of their own, their open jobs by another."""
        with database.begin() as connection:
            for _ in range(2_000):
                add_batch(connection, finished_at=NOW)
            for _ in range(5):
                add_jobs(connection, *(job_row(batch_id=add_batch(connection)) for _ in range(100)))
        if not database.is_sqlite:
            with database.begin() as connection:
                connection.execute(text("ANALYZE"))
        found = plans(database, lambda connection: completion.unfinished(connection, after=UUID(int=0), most=500))
        assert "ix_batches_unfinished" in found
        assert not re.search(r"Seq Scan on batches|SCAN batches(?! USING)", found)

    def test_it_sends_once_and_again_without_an_answer(self, database: Database, tmp_path: Path) -> None:
        """After growing waits. A finished batch is forgotten, and sent at once when it finishes the next time."""
        batch = a_mixed_batch(database, tmp_path)
        sent, clock = list[UUID](), [0.0]
        own = FinishedBatchWatcher(database, sent.extend, clock=lambda: clock[0])
        for clock[0] in (0.0, 1.0, 14.0):
            own.run_once()
        assert sent == [batch]
        for clock[0] in (15.0, 44.0):
            own.run_once()
        assert sent == [batch, batch]
        assert finisher(database, tmp_path).run(batch)
        own.run_once()
        assert len(sent) == 2
        with database.begin() as connection:
            connection.execute(update(Batch).values(finished_at=None))
        own.run_once()
        assert len(sent) == 3

    def test_it_looks_at_a_few_at_a_time_and_misses_none(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Batches that go on don't hide those behind them."""
        monkeypatch.setattr(watcher, "BATCHES_PER_POLL", 2)
        with database.begin() as connection:
            for _ in range(3):
                add_job(connection, batch_id=add_batch(connection))
        over = [a_mixed_batch(database, tmp_path) for _ in range(2)]
        sent = list[UUID]()
        own = FinishedBatchWatcher(database, sent.extend, clock=lambda: 0.0)
        for _ in range(4):
            own.run_once()
        assert sent == over
