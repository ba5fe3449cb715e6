"""A text of any length over HTTP: one job for its producer, made of parts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import soundfile
from sqlalchemy import select, update

from api_models.jobs import JobView, PartList
from api_models.status import JobStatus
from tests.cluster.waiting import wait_for
from tests.long_texts import paragraphs, sentence
from tests.speaking import Speaking, speaking
from worker.documents.stored_plan import StoredPlan
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule, Take
from worker.store import documents
from worker.store.database import Database
from worker.store.documents import PartRecord
from worker.store.tables.jobs import Job
from worker.store.tables.webhooks import EventRow

TEXT = paragraphs(12)
REFUSED = Rule(effect=Effect(status=400), match=Match(text_contains=sentence(40)))


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Iterator[Speaking]:
    with speaking(database, tmp_path) as started:
        yield started


def job_of(stage: Speaking, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = stage.client.get(f"/v1/jobs/{job_id}").json
    return found


def finished(stage: Speaking, job_id: str) -> dict[str, Any]:
    wait_for(lambda: job_of(stage, job_id)["finished_at"], seconds=60, what="the end of the document")
    return job_of(stage, job_id)


def parts_of(database: Database, job_id: str) -> list[PartRecord]:
    with database.read() as connection:
        return documents.parts(connection, UUID(job_id))


def test_a_long_text_becomes_one_recording(stage: Speaking, database: Database) -> None:
    """One row in lists, one event, one file; its cost is that of its parts, each of which was bought once."""
    wanted = {"text": TEXT, "format": "flac", "tags": ["night"], "sample_rate": 44_100}
    accepted = stage.client.post("/v1/jobs", wanted)
    assert accepted.status == 202, accepted
    JobView.model_validate_json(accepted.body)
    made = finished(stage, accepted.json["id"])

    parts = parts_of(database, made["id"])
    assert (made["status"], made["parts"], made["cached"]) == ("succeeded", len(parts), False)
    assert len(parts) > 5
    assert Decimal(made["cost"]) == sum(part.cost for part in parts) == stage.emulator.state().billed
    assert stage.bills == len(parts)
    with database.read() as connection:
        record = documents.by_id(connection, UUID(made["id"]))
        events = connection.execute(select(EventRow.type, EventRow.subject)).all()
    assert record is not None
    plan = StoredPlan.decode(record.plan)
    assert "".join(TEXT[part.start : part.end] for part in plan.parts) == TEXT
    assert [tuple(event) for event in events] == [("job.succeeded", made["id"])]
    assert [job["id"] for job in stage.client.get("/v1/jobs").json["jobs"]] == [made["id"]]
    listed = PartList.model_validate_json(stage.client.get(f"/v1/jobs/{made['id']}/parts").body)
    assert (listed.counts, [part.part for part in listed.parts]) == (
        {"succeeded": len(parts)},
        list(range(1, len(parts) + 1)),
    )
    assert stage.client.get(f"/v1/jobs/{parts[0].id}/audio").status == 200
    audio = stage.client.get(f"/v1/jobs/{made['id']}/audio")
    info = soundfile.info(io.BytesIO(audio.body))
    assert (info.format, info.samplerate) == ("FLAC", 44_100)
    assert info.duration * 1000 == pytest.approx(made["audio"]["duration_ms"], abs=50)
    spoken = sum(part.duration_ms or 0 for part in parts) / 1000
    assert 0.8 * spoken < info.duration < 1.1 * spoken


def test_a_part_that_fails_fails_the_document_and_names_its_place(database: Database, tmp_path: Path) -> None:
    """Everything else is kept, and a retry buys the missing part only."""
    with speaking(database, tmp_path, EmulatorConfig(rules=(REFUSED,))) as stage:
        job_id = stage.client.post("/v1/jobs", {"text": TEXT}).json["id"]
        failed = finished(stage, job_id)
        bought = stage.bills
        parts = parts_of(database, job_id)
        assert failed["status"] == "failed"
        (missing,) = [part for part in parts if part.status is not JobStatus.SUCCEEDED]
        assert sentence(40) in missing.text
        assert failed["message"].startswith(f"Part {missing.part} of {len(parts)}, at “{missing.text[:20]}")
        assert bought == len(parts) - 1
        assert Decimal(failed["cost"]) == sum(part.cost for part in parts)

        stage.emulator.admin.rules(())
        assert stage.client.post(f"/v1/jobs/{job_id}/retry").status == 200
        again = finished(stage, job_id)
        assert (again["status"], stage.bills) == ("succeeded", bought + 1)


def test_a_refused_take_is_bought_again_for_its_part_alone(database: Database, tmp_path: Path) -> None:
    silent = Rule(effect=Effect(take=Take.SILENT), match=Match(text_contains=sentence(40), nth_of_text=(1,)))
    with speaking(database, tmp_path, EmulatorConfig(rules=(silent,))) as stage:
        made = finished(stage, stage.client.post("/v1/jobs", {"text": TEXT}).json["id"])
        assert (made["status"], stage.bills) == ("succeeded", made["parts"] + 1)


def test_a_cancelled_document_buys_nothing_more(database: Database, tmp_path: Path) -> None:
    """Its parts are cancelled with it; a retry continues."""
    with speaking(database, tmp_path, with_worker=False) as stage:
        job_id = stage.client.post("/v1/jobs", {"text": TEXT}).json["id"]
        assert job_of(stage, job_id)["status"] == "queued"
        assert job_of(stage, job_id)["not_before"] is None
        cancelled = stage.client.post(f"/v1/jobs/{job_id}/cancel")
        assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")
        assert {part.status for part in parts_of(database, job_id)} == {JobStatus.CANCELLED}
        assert stage.client.post(f"/v1/jobs/{job_id}/retry").json["status"] == "queued"
        assert {part.status for part in parts_of(database, job_id)} == {JobStatus.QUEUED}


def test_takes_that_are_gone_are_never_left_out(stage: Speaking, database: Database, tmp_path: Path) -> None:
    """The document fails and says where; a retry restores or buys again what is gone, and nothing else."""
    job_id = stage.client.post("/v1/jobs", {"text": TEXT}).json["id"]
    finished(stage, job_id)
    bought = stage.bills
    gone = parts_of(database, job_id)[2]
    (take,) = (tmp_path / "audio").rglob(f"{gone.id}.wav")
    take.unlink()
    with database.begin() as connection:  # as after a cancelled join
        values = {"status": "scheduled", "not_before": documents.FAR, "finished_at": None}
        connection.execute(update(Job).where(Job.parts.is_not(None)).values(**values, fingerprint="0" * 64))
    failed = finished(stage, job_id)
    assert (failed["status"], failed["code"]) == ("failed", "take_missing")
    assert f"Part {gone.part} of" in failed["message"] or f"part {gone.part} of" in failed["message"]
    assert stage.client.post(f"/v1/jobs/{job_id}/retry").status == 200
    assert finished(stage, job_id)["status"] == "succeeded"
    assert stage.bills <= bought + 1


def test_what_no_document_can_hold_is_refused(stage: Speaking) -> None:
    too_long = stage.client.post("/v1/jobs", {"text": "a " * 150_000})
    assert (too_long.status, too_long.trouble) == (413, "too-large")
    two = stage.client.post("/v1/jobs", {"text": TEXT, "voice_1": "Kore", "voice_2": "Puck"})
    assert (two.status, two.json["faults"][0]["field"]) == (422, "voice_2")
    assert "two speakers share one request" in two.json["faults"][0]["message"]
