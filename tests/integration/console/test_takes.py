"""The takes of a job side by side: scores and reasons, choosing and marking, and who may."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api_models.status import JobStatus
from tests.console_site import signed_in
from tests.factories import MODEL, stored
from tests.speaking import Speaking, speaking
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Match, Rule, Take
from worker.store import takes
from worker.store.database import Database
from worker.store.takes import TakeRecord

TEXT = "The ferry <b>waits</b> at the old stone pier. They left long ago, and the bakery opens at six."
FINDINGS = '[{"rung": "shape", "suspicious": true, "reason": "missing_sentence", "score": 1.42, "seconds_spent": 0.1}]'


@pytest.fixture
def spoken(on_sqlite: Database, tmp_path: Path) -> Iterator[tuple[Speaking, Any]]:
    """A job whose first take was cut, and suspicious as well, with times beside its audio."""
    cut = Rule(effect=Effect(take=Take.TRUNCATED, share=0.3), match=Match(nth_of_text=(1,)))
    with speaking(on_sqlite, tmp_path, EmulatorConfig(rules=(cut,))) as site:
        asked = {"text": TEXT, "timings": "sentence"}
        job = site.client("POST", "/v1/jobs", asked, headers={"Prefer": "wait=60"}, timeout=90).json
        assert job["status"] == JobStatus.SUCCEEDED
        record = TakeRecord(
            UUID(job["id"]), 1, "default", None, MODEL, "", "en", datetime.now(UTC), accepted=False, suspicious=True,
            seconds=1.5, findings=FINDINGS, rung="shape", reason="missing_sentence", sentence="They <i>left</i>.",
        )  # fmt: skip
        with on_sqlite.begin() as connection:
            takes.record(connection, record)
        yield site, job


@pytest.mark.timeout(120)
def test_a_take_is_chosen_and_marked(spoken: tuple[Speaking, Any], on_sqlite: Database) -> None:
    """Scores, reasons and sentences stand beside each take, escaped; a choice costs nothing."""
    site, job = spoken
    browser, path = signed_in(site.gateway, tenant="default"), f"/console/jobs/{job['id']}"
    page = browser.get(path)
    assert "score 1.42" in page.text
    assert "They &lt;i&gt;left&lt;/i&gt;." in page.text
    assert "<summary>Sentences</summary>" in page.text
    assert "<b>waits" not in page.text
    first = browser.get(f"{path}/takes/1").body
    assert "The take is the job" in browser.submit(page, f"{path}/takes/1/choose").text
    assert browser.get(f"{path}/audio").body == first
    with on_sqlite.read() as connection:
        row = stored(connection, UUID(job["id"]))
    assert (row.status, row.code, row.attempt) == (JobStatus.SUCCEEDED, None, 2)
    page = browser.get(path)
    assert browser.get(f"{path}/takes/2").status == 200
    browser.submit(page, f"{path}/takes/2/mark/bad")
    with on_sqlite.read() as connection:
        assert [(take.accepted, take.mark) for take in takes.of_jobs(connection, [row.id])] == [
            (True, "good"), (False, "bad")
        ]  # fmt: skip
    assert browser.submit(page, f"{path}/takes/2/choose").status == 200
    assert browser.get(f"{path}/audio").body != first
    assert site.bills == 2


@pytest.mark.timeout(120)
def test_who_may_only_read_chooses_nothing(spoken: tuple[Speaking, Any]) -> None:
    site, job = spoken
    reader = signed_in(site.gateway, tenant="default", read_only=True)
    page = reader.get(f"/console/jobs/{job['id']}")
    assert "score 1.42" in page.text
    assert not [form for form in page.forms if "/takes/" in form.action]
