"""`ttsq console`, and the filter of `ttsq jobs list`."""

from __future__ import annotations

import json

from api_models.status import JobStatus
from tests.factories import add_job
from tests.terminal import Ttsq
from worker.store.access import console_sessions
from worker.store.database import Database


def test_a_link_is_printed_whole_and_signs_in(queue: Database, ttsq: Ttsq) -> None:
    """On one line, however narrow the terminal is."""
    found = ttsq("console", "--read-only", "--tenant", "acme", "--address", "https://speech.example.org/")
    link = found.out.strip()
    assert link.startswith("https://speech.example.org/console/link?token=")
    assert "\n" not in link
    with queue.begin() as connection:
        made = console_sessions.use_link(connection, link.partition("token=")[2], now=queue.now(connection))
    assert made is not None
    assert (made[0].tenant, made[0].read_only) == ("acme", True)


def test_jobs_are_listed_by_the_consoles_filter(queue: Database, ttsq: Ttsq) -> None:
    """With the same faults and remedies."""
    with queue.begin() as connection:
        job_id = add_job(connection, text="The ferry leaves.", status=JobStatus.FAILED)
        add_job(connection, text="The ferry arrives.")
    found = ttsq("jobs", "list", "--filter", 'state:failed "the FERRY"', "--json")
    assert [json.loads(line)["id"] for line in found.out.splitlines()] == [str(job_id)]
    faulty = ttsq("jobs", "list", "--filter", "sate:failed")
    assert faulty.code == 2
    assert 'did you mean "state"?' in faulty.err
