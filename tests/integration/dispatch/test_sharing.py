"""Which jobs share bought audio: those of one tenant, or those of all, by every way of submission."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from tests.dispatcher_harness import Stage
from tests.factories import ORIGIN, a_request, stored
from tests.gateway import running
from worker import producer, settings
from worker.intake.validation import Row
from worker.store.database import Database
from worker.store.queries import jobs

TEXT = "All aboard."


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Copies for all."""
    monkeypatch.setenv("TTSQ_SHARE_CACHE", "all")
    monkeypatch.setenv("SEGMIND_BASE_URL", ORIGIN)
    settings.current.cache_clear()
    yield
    settings.current.cache_clear()


def content(database: Database, job: UUID) -> str:
    """What a job wants."""
    with database.read() as connection:
        found: str = stored(connection, job).fingerprint
    return found


def everywhere(database: Database) -> set[str]:
    """What one text is to two tenants, by each way in."""
    request = a_request(text=TEXT)
    found = set()
    for tenant in ("acme", "zenith"):
        with database.begin() as connection:
            alone = producer.enqueue(connection, request, tenant=tenant)
            batch = producer.enqueue_many(connection, [request], name="many", tenant=tenant)
            [inside] = jobs.jobs(connection, jobs.of_batch(batch))
        found |= {content(database, alone), content(database, inside.id)}
        with running(database) as gateway:
            reply = gateway.client(tenant).post("/v1/jobs", {"text": TEXT})
        found.add(content(database, UUID(reply.json["id"])))
    return found


@pytest.mark.usefixtures("shared")
def test_with_copies_for_all_a_text_is_one_content(on_sqlite: Database) -> None:
    """Over HTTP, in Python, alone and in a batch, of any tenant, and as `ttsq run` has it."""
    with on_sqlite.begin() as connection:
        rows = [Row(1, a_request(text=TEXT, custom_id="1"))]
        line = producer.submit_batch(connection, rows, name="run", origin=ORIGIN, output_url=None)
        [job] = jobs.jobs(connection, jobs.of_batch(line.batch.id))
    assert everywhere(on_sqlite) == {content(on_sqlite, job.id)}


def test_otherwise_each_tenant_has_its_own(on_sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same by every way in."""
    monkeypatch.setenv("SEGMIND_BASE_URL", ORIGIN)
    settings.current.cache_clear()
    assert len(everywhere(on_sqlite)) == 2
    settings.current.cache_clear()


@pytest.mark.usefixtures("shared")
def test_one_tenants_job_follows_anothers(database: Database) -> None:
    """Of two that want the same at once, one is sent out."""
    stage = Stage(database)
    stage.worker(slots=10)
    with database.begin() as connection:
        first = producer.enqueue(connection, a_request(text=TEXT), tenant="acme")
        second = producer.enqueue(connection, a_request(text=TEXT), tenant="zenith")
    stage.dispatcher().run_once()
    sent = stage.post.collect()
    assert len(sent) == 1
    [follower] = {first, second} - set(sent)
    assert stage.row(follower).follows == sent[0]
