"""Runs of a schedule have the options of `ttsq run`: budget, names, faulty rows, defaults. On both databases."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select

from api_models.encodings import AudioTags
from tests.integration.schedules.schedule_harness import ScheduleHarness, harness
from worker.intake.validation import Defaults
from worker.schedules.options import Options
from worker.store.schedules import RunState
from worker.store.tables.jobs import Batch, Job

__all__ = ["harness"]


def test_a_runs_batch_has_budget_template_and_encoding(harness: ScheduleHarness) -> None:
    """And its jobs what the defaults say; a deadline of six hours counts from the due time."""
    defaults = Defaults(
        mp3_bitrate="128k", artist="Ann", priority=5, tags=("news",), deadline="6h", expires_after="30d"
    )
    options = Options(max_cost="2.50", key_template="{batch}/{line:04}.{ext}", use_cache=False, defaults=defaults)
    schedule = harness.add(options=options.kept())
    assert harness.run_due() == [RunState.DONE]
    with harness.database.read() as connection:
        batch = connection.execute(select(Batch.max_cost, Batch.key_template)).one()
        jobs = connection.execute(select(*Job.__table__.c)).all()
    assert (batch.max_cost, batch.key_template) == (Decimal("2.50"), "{batch}/{line:04}.{ext}")
    assert {(job.audio_format, job.mp3_bitrate, job.priority, job.tags, job.use_cache) for job in jobs} == {
        ("mp3", 128, 5, ",news,", False)
    }
    assert {AudioTags.read(job.audio_tags).artist for job in jobs} == {"Ann"}
    assert schedule.next_due_at is not None
    assert {(job.deadline - schedule.next_due_at).total_seconds() for job in jobs} == {6 * 3_600}


def test_faulty_rows_are_skipped_where_the_schedule_says_so(harness: ScheduleHarness) -> None:
    """The run says what it skipped; without the option, or without any valid row, nothing is submitted."""
    sheet = "text,voice\nGood night.,Kore\nSleep well.,Korre\n"
    harness.add(source=harness.sheet(sheet), options=Options(skip_invalid=True).kept())
    harness.add(name="strict", source=harness.sheet(sheet, "strict.csv"))
    harness.add(
        name="none", source=harness.sheet("text\n<br/>\n", "none.csv"), options=Options(skip_invalid=True).kept()
    )
    states = {key.schedule: harness.runner.run(key) for key in harness.poll()}
    assert states == {"nightly": RunState.DONE, "strict": RunState.FAILED, "none": RunState.FAILED}
    assert list(harness.batches().values()) == [["Good night."]]
    (run,) = harness.runs()
    assert (run.message or "").startswith('skipped line 3, voice_1: no voice "Korre"')
