"""Pages of jobs by a filter: what matches, and how much one page reads."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from api_models import job_filter
from api_models.status import JobStatus
from tests.factories import NOW, add_batch, add_job
from worker.store.database import Database
from worker.store.queries import job_search


def found(database: Database, text: str, tenant: str | None = "acme") -> set[str | None]:
    """The custom_ids of what matches."""
    with database.read() as connection:
        wanted = job_filter.parse(text, now=NOW)
        wanted = wanted if tenant is None else wanted.of_tenant(tenant)
        search = job_search.search(connection, wanted)
        page = job_search.page(connection, search, before=None, most=50)
        count = job_search.count(connection, search)
    assert (count.number, count.is_exact) == (len(page.jobs), True)
    return {job.custom_id for job in page.jobs}


@pytest.fixture
def filled(database: Database) -> UUID:
    """Four jobs of one tenant, one of another; the id of the first."""
    with database.begin() as connection:
        batch_id = add_batch(connection, tenant="acme", name="evening.csv", total=2)
        first = add_job(connection, tenant="acme", custom_id="a", text="100% of the Ferry", voice_1="Kore")
        add_job(
            connection,
            tenant="acme",
            custom_id="b",
            batch_id=batch_id,
            status=JobStatus.FAILED,
            code="bad_audio",
            priority=5,
        )
        add_job(
            connection, tenant="acme", custom_id="c", batch_id=batch_id, status=JobStatus.EXPIRED, tags=",news,late,"
        )
        add_job(connection, tenant="acme", custom_id="d", created_at=NOW - timedelta(days=2), voice_2="kore")
        add_job(connection, tenant="globex", custom_id="e", text="ferry")
    return first


def test_terms_select_jobs(database: Database, filled: UUID) -> None:
    """On both databases alike."""
    expected = {
        "": {"a", "b", "c", "d"},
        "ferry": {"a"},
        '"100% of"': {"a"},
        '"10_%"': set(),
        "voice:KORE": {"a", "d"},
        "state:failed": {"b"},
        "state:failed,expired": {"b", "c"},
        "state:queued": {"a", "d"},
        "code:bad_audio": {"b"},
        "batch:evening.csv": {"b", "c"},
        "batch:evening state:expired": {"c"},
        "batch:morning": set(),
        "tag:late": {"c"},
        "tag:lat": set(),
        "priority:>0": {"b"},
        "since:1d": {"a", "b", "c"},
        "until:1d": {"d"},
        "id:c": {"c"},
        f"id:{filled}": {"a"},
        f"batch:{filled}": set(),
        "tenant:acme state:queued": {"a", "d"},
    }
    assert {text: found(database, text) for text in expected if text != "until:1d"} == {
        text: names for text, names in expected.items() if text != "until:1d"
    }
    assert found(database, "ferry", tenant=None) == {"a", "e"}


def test_a_page_reads_a_window_and_resumes_below_it(database: Database) -> None:
    """A rare match deep in the past is found after pages that say how far they looked; none is skipped."""
    with database.begin() as connection:
        deep = add_job(connection, tenant="acme", text="needle")
        for _ in range(35):
            add_job(connection, tenant="acme", text="hay")
    before, pages, seen = None, 0, []
    with database.read() as connection:
        search = job_search.search(connection, job_filter.parse("needle", now=NOW).of_tenant("acme"))
        assert job_search.count(connection, search, window=10) == job_search.Count(0, is_exact=False)
        while True:
            page = job_search.page(connection, search, before=before, most=5, window=10)
            seen += [job.id for job in page.jobs]
            pages += 1
            if page.cursor is None:
                break
            assert page.searched_back_to == NOW
            before = page.cursor
    assert (seen, pages) == ([deep], 4)


def test_several_ended_states_are_merged_in_order(database: Database) -> None:
    """Each is read along its own index, and pages neither repeat nor skip."""
    kinds = (JobStatus.FAILED, JobStatus.EXPIRED, JobStatus.CANCELLED)
    with database.begin() as connection:
        made = [add_job(connection, tenant="acme", status=kinds[at * at % 3]) for at in range(40)]
        search = job_search.search(
            connection, job_filter.parse("state:failed,expired,cancelled", now=NOW).of_tenant("acme")
        )
        seen, before = [], None
        while True:
            page = job_search.page(connection, search, before=before, most=6, window=7)
            seen += [job.id for job in page.jobs]
            if page.cursor is None:
                break
            before = page.cursor
    assert seen == list(reversed(made))


@pytest.mark.parametrize("text", ["", "state:failed", "state:failed,expired", "good"])
def test_parts_of_documents_are_left_out(database: Database, text: str) -> None:
    """The document is one job, whatever its length."""
    with database.begin() as connection:
        whole = add_job(connection, tenant="acme", custom_id="whole", text="good", status=JobStatus.FAILED)
        add_job(connection, tenant="acme", custom_id="part", text="good", status=JobStatus.FAILED, parent=whole)
    assert found(database, text) == {"whole"}
