"""Looking at a queue and changing it, as an operator does: `ttsq status`, `jobs`, `migrate`, `doctor`, `worker`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api_models.status import JobStatus
from tests.factories import a_gate, add_attempt, add_batch, add_gate, add_job, stored
from tests.terminal import Ttsq
from worker.store import schema
from worker.store.database import Database


@pytest.fixture
def queue(on_sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A migrated queue that the command works on."""
    monkeypatch.setenv("TTSQ_DATABASE_URL", on_sqlite.url.render_as_string())
    return on_sqlite


@pytest.fixture
def batch(queue: Database) -> Sequence[Any]:
    """A batch of a succeeded, a failed, a queued and a running job; their ids after the batch's own."""
    with queue.begin() as connection:
        made = add_batch(connection, name="texts.csv", total=4)
        done = add_job(
            connection, batch_id=made, line=1, custom_id="a", status=JobStatus.SUCCEEDED, cost=Decimal("0.0067")
        )
        failed = add_job(
            connection, batch_id=made, line=2, custom_id="b", status=JobStatus.FAILED, cost=Decimal("0.0134")
        )
        queued = add_job(connection, batch_id=made, line=3, custom_id="c", cost=Decimal("0.001"))
        running = add_job(connection, batch_id=made, line=4, custom_id="d", status=JobStatus.RUNNING)
        add_attempt(
            connection,
            job_id=failed,
            number=1,
            verdict="bad_take",
            code="bad_audio",
            message="too short",
            detail="status 200",
            possibly_billed=True,
            take_uri="file:///takes/1.wav",
        )
    return made, done, failed, queued, running


def test_status_of_a_batch_has_the_keys_of_a_run(ttsq: Ttsq, batch: Sequence[Any]) -> None:
    """One JSON object; held counts what waits, while something holds it."""
    shown = ttsq("status", "texts.csv", "--json")
    found = shown.data
    assert (shown.code, found.pop("seconds") >= 0) == (0, True)
    assert found.pop("hold")["code"] == "no_workers"
    assert found == {
        "batch": str(batch[0]),
        "total": 4,
        "succeeded": 1,
        "failed": 1,
        "cached": 0,
        "cancelled": 0,
        "held": 1,
        "cost": "0.0211",
    }


def test_status_of_a_finished_batch_takes_its_own_time(ttsq: Ttsq, queue: Database) -> None:
    """From its creation to the end of its last job, however long ago that was."""
    with queue.begin() as connection:
        made = add_batch(connection, created_at=datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC))
        for second in (10, 42):
            ended = datetime(2026, 1, 1, 12, 0, second, tzinfo=UTC)
            add_job(connection, batch_id=made, status=JobStatus.SUCCEEDED, finished_at=ended)
    assert ttsq("status", str(made), "--json").data["seconds"] == 42


def test_status_of_everything_has_no_batch(ttsq: Ttsq, queue: Database, batch: Sequence[Any]) -> None:
    """The whole queue, jobs without a batch included."""
    with queue.begin() as connection:
        add_job(connection)
    found = ttsq("status", "--json").data
    assert (found["batch"], found["total"], found["held"]) == (None, 5, 2)
    assert batch


def test_status_shows_what_holds_the_queue_and_since_when(ttsq: Ttsq, queue: Database) -> None:
    """The gate, its reason in the API's words, the time, beside the newest batches."""
    with queue.begin() as connection:
        made = add_batch(connection, name="letters.txt")
        add_job(connection, batch_id=made)
        add_gate(connection, a_gate(message="The account is out of credit: top it up"))
    for shown in (ttsq("status"), ttsq("status", "letters")):
        assert shown.code == 0
        assert "letters.txt" in shown.out
        assert "held by the account since " in shown.out
        assert "out of credit: top it up" in shown.out


def test_status_watch_ends_when_all_jobs_have_finished(ttsq: Ttsq, queue: Database) -> None:
    """At once, where it already is."""
    with queue.begin() as connection:
        made = add_batch(connection)
        add_job(connection, batch_id=made, status=JobStatus.SUCCEEDED)
    shown = ttsq("status", str(made), "--watch", "--json")
    assert (shown.code, shown.data["succeeded"]) == (0, 1)


def test_jobs_list_has_one_object_a_job(ttsq: Ttsq, batch: Sequence[Any]) -> None:
    """Each object has the documented keys; the order is that of submission."""
    lines = [json.loads(line) for line in ttsq("jobs", "list", "--batch", str(batch[0]), "--json").out.splitlines()]
    assert [line["id"] for line in lines] == [str(job) for job in batch[1:]]
    keys = "id custom_id batch model status attempt code message cost uri duration_ms created_at started_at finished_at"
    assert all(" ".join(line) == keys for line in lines)
    assert lines[0] | {"id": "", "batch": ""} == {
        "id": "",
        "custom_id": "a",
        "batch": "",
        "model": "gemini-3.1-flash-tts",
        "status": "succeeded",
        "attempt": 1,
        "code": None,
        "message": None,
        "cost": "0.0067",
        "uri": "file:///audio/1.wav",
        "duration_ms": 1_000,
        "created_at": "2026-11-21T10:00:00Z",
        "started_at": None,
        "finished_at": "2026-11-21T10:00:00Z",
    }


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ((), "abcd"),
        (("--status", "failed"), "b"),
        (("--status", "failed", "--status", "queued"), "bc"),
        (("--code", "invalid_request"), "b"),
        (("--limit", "2"), "ab"),
        (("--batch", "texts", "--status", "running", "--code", "none"), ""),
    ],
)
def test_jobs_list_can_be_narrowed(ttsq: Ttsq, batch: Sequence[Any], filters: Sequence[str], names: str) -> None:
    """By batch, state and code, all at once."""
    shown = ttsq("jobs", "list", "--json", *filters)
    assert "".join(json.loads(line)["custom_id"] for line in shown.out.splitlines()) == names
    assert batch


def test_jobs_list_for_people_cuts_no_line_of_a_pipe(ttsq: Ttsq, batch: Sequence[Any]) -> None:
    """A line a job, with its id, name, state and what there is to say."""
    lines = ttsq("jobs", "list").out.splitlines()
    assert len(lines) == 5
    assert lines[2].split()[:4] == [str(batch[2]), "b", "failed", "$0.0134"]
    assert lines[2].endswith("invalid_request: It was refused.")


def test_jobs_show_has_every_detail_of_every_attempt(ttsq: Ttsq, batch: Sequence[Any]) -> None:
    """Verdict, cost, what was said, where the take is, and that it may have been billed."""
    failed = str(batch[2])
    text = ttsq("jobs", "show", failed).out
    for words in (failed, "bad_take bad_audio", "possibly billed", "too short", "status 200", "file:///takes/1.wav"):
        assert words in text
    found = ttsq("jobs", "show", failed.replace("-", ""), "--json").data
    (attempt,) = found["attempts"]
    assert (attempt["verdict"], attempt["possibly_billed"], attempt["cost"]) == ("bad_take", True, "0.0067")


def test_jobs_show_has_the_measurements_of_the_audio(ttsq: Ttsq, queue: Database) -> None:
    """As it was measured; and what is submitted for a job that is under way."""
    with queue.begin() as connection:
        measured = {"duration_ms": 2_340, "peak_dbfs": -3.1, "loudness_lufs": -19.8, "silence_share": 0.124}
        done = add_job(connection, status=JobStatus.SUCCEEDED, **measured)
        running = add_job(connection, status=JobStatus.RUNNING, request_id="req-77")
        add_attempt(connection, job_id=running, request_id="req-76", verdict="late", take_uri="file:///takes/2.wav")
    assert "2.3 s, peak -3.1 dBFS, loudness -19.8 LUFS, 12% silence" in ttsq("jobs", "show", str(done)).out
    found = ttsq("jobs", "show", str(done), "--json").data
    assert {name: found[name] for name in measured} == measured
    shown = [line.split() for line in ttsq("jobs", "show", str(running)).out.splitlines()]
    assert ["request", "req-77"] in shown
    assert ["request", "req-76"] in shown
    assert ["late", "take", "file:///takes/2.wav"] in shown
    assert ttsq("jobs", "show", str(running), "--json").data["request_id"] == "req-77"


def test_jobs_retry_queues_ended_jobs_again(ttsq: Ttsq, queue: Database, batch: Sequence[Any]) -> None:
    """They keep their ids; jobs that succeeded or are unfinished stay as they are."""
    shown = ttsq("jobs", "retry", "--batch", "texts")
    assert shown.out.startswith("1 job queued again")
    with queue.read() as connection:
        assert stored(connection, batch[2]).status == JobStatus.QUEUED
        assert stored(connection, batch[1]).status == JobStatus.SUCCEEDED
    assert ttsq("jobs", "retry", str(batch[1])).out.startswith("Nothing to retry")


def test_jobs_retry_by_code_alone(ttsq: Ttsq, queue: Database, batch: Sequence[Any]) -> None:
    """Whatever batch they are of."""
    assert ttsq("jobs", "retry", "--code", "timeout").out.startswith("Nothing to retry")
    assert ttsq("jobs", "retry", "--code", "invalid_request").out.startswith("1 job queued again")
    with queue.read() as connection:
        assert stored(connection, batch[2]).status == JobStatus.QUEUED


def test_jobs_cancel_says_what_was_paid_already(ttsq: Ttsq, queue: Database, batch: Sequence[Any]) -> None:
    """And that calls under way can't be called back; jobs that are over stay as they are."""
    shown = ttsq("jobs", "cancel", "--batch", str(batch[0])[:16])
    assert shown.out == "2 jobs cancelled; $0.0010 spent on them.\n"
    assert "1 call in flight" in shown.err
    with queue.read() as connection:
        states = [stored(connection, job).status for job in batch[1:]]
    assert states == ["succeeded", "failed", "cancelled", "cancelled"]
    assert ttsq("jobs", "cancel", str(batch[3])).out.startswith("Nothing to cancel")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no jobs selected"),
        (("--status", "queued"), "no jobs selected"),
        (("ffff",), 'no job with the id or custom_id "ffff"'),
        (("--batch", "text.csv"), 'did you mean "texts.csv"?'),
    ],
)
def test_changing_jobs_takes_a_choice(
    ttsq: Ttsq, queue: Database, batch: Sequence[Any], arguments: Sequence[str], words: str
) -> None:
    """Nothing is changed where it isn't clear which jobs are meant."""
    for command in ("retry", "cancel"):
        shown = ttsq("jobs", command, *arguments)
        assert shown.code == 2
        assert words in shown.err
    with queue.read() as connection:
        assert [stored(connection, job).status for job in batch[1:]] == ["succeeded", "failed", "queued", "running"]


@pytest.mark.parametrize("command", [("status",), ("jobs", "list"), ("jobs", "cancel", "--batch", "x")])
def test_a_missing_queue_is_not_created(ttsq: Ttsq, tmp_path: Path, command: Sequence[str]) -> None:
    """The wrong folder is the likely reason, so it is named, and nothing is left in it."""
    shown = ttsq(*command)
    assert shown.code == 2
    assert ".ttsq/ttsq.db" in shown.err
    assert not (tmp_path / ".ttsq").exists()


def test_migrate_makes_the_tables_once(ttsq: Ttsq) -> None:
    """And says from where to where."""
    assert f"is now at revision {schema.HEAD} (before: no tables)" in ttsq("migrate").out
    assert f"is already at revision {schema.HEAD}" in ttsq("migrate").out
    assert ttsq("status").out == "No jobs submitted yet.\n"


def test_a_database_of_another_version_is_refused(ttsq: Ttsq, queue: Database) -> None:
    """A newer one, with the remedy."""
    with queue.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for command in ("status", "migrate"):
        shown = ttsq(command)
        assert shown.code == 2
        assert "9999" in shown.err
        assert "upgrade ttsq" in shown.err


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("SEGMIND_RMP", "60", "SEGMIND_RMP: is not a setting; did you mean SEGMIND_RPM?"),
        ("TTSQ_RPM", "60", "TTSQ_RPM: is not a setting; did you mean SEGMIND_RPM?"),
        ("SEGMIND_CONCURRENCY", "9", "SEGMIND_CONCURRENCY: is not a setting; did you mean TTSQ_CONCURRENCY?"),
        ("TTSQ_CONCURRENCY", "0", "TTSQ_CONCURRENCY: must be at least 1"),
    ],
)
def test_bad_settings_end_every_command(
    ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, words: str
) -> None:
    """Each is named, and where to mend it."""
    monkeypatch.setenv(setting, value)
    for command in ("status", "migrate", "worker", "doctor"):
        shown = ttsq(command)
        assert shown.code == 2
        assert words in shown.out + shown.err


def test_a_worker_over_the_memory_transport_makes_no_sense(ttsq: Ttsq) -> None:
    """It says why, and what to set."""
    shown = ttsq("worker")
    assert shown.code == 2
    assert "memory://" in shown.err
    assert "TTSQ_BROKER_URL=redis://" in shown.err


def test_a_traceback_is_shown_at_the_debug_level_alone(ttsq: Ttsq, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear line otherwise."""
    monkeypatch.setenv("TTSQ_DATABASE_URL", "postgresql://u:hidden@127.0.0.1:9/x")
    shown = ttsq("status")
    assert (shown.code, "Traceback" in shown.err) == (2, False)
    assert shown.err.startswith("ttsq: the database can't be reached: ")
    monkeypatch.setenv("TTSQ_LOG_LEVEL", "debug")
    shown = ttsq("status")
    assert (shown.code, "Traceback" in shown.err) == (2, True)
    assert "hidden" not in shown.err
