"""All workers killed at once, and again, over either way of calling the API: a short form of `benchmarks/kills`."""

from __future__ import annotations

import pytest

from api_models.status import JobStatus
from tests.cluster.killing import Killing, killed_run
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster

TEXTS = [f"Carriage number {number} is for sleeping." for number in range(1, 31)]


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_the_ledger_survives_kills(start_cluster: StartCluster, api: str) -> None:
    """Every job succeeds; ledger and bill agree to the last digit, but for calls in doubt, and those say so.

    Over v2 nothing is bought twice but what was submitted without anybody hearing of it; over v1 at most one text for
    each call in flight at a kill.
    """
    killing = Killing(api, jobs=len(TEXTS), kills=2, lost_replies=0.05)
    toll = killed_run(start_cluster(killing.shape()), killing, TEXTS)
    assert (toll.moments, toll.succeeded, toll.faults) == (2, len(TEXTS), [])
    assert toll.lost > 0, "no worker held a job, so this proves nothing"
    assert toll.books is not None
    unheard = len(toll.books.unheard)
    if api == "v2":
        assert toll.again <= unheard <= toll.in_doubt
        assert any(ended.request_id and not ended.possibly_billed for ended in toll.attempts if ended.verdict == "lost")
    else:
        assert toll.again <= toll.lost + toll.lost_replies


def test_a_worker_that_is_asked_to_leave_hands_its_polls_over(start_cluster: StartCluster) -> None:
    """SIGTERM between two polls: the worker leaves its runs, and the next worker polls them without a new purchase."""
    shape = Killing("v2", lost_replies=0, latency_seconds=8).shape()
    cluster = start_cluster(shape)
    batch = cluster.submit(TEXTS[: 2 * shape.slots])
    leaver = cluster.workers[0]
    wait_for(
        lambda: cluster.emulator.admin.state(detail=False).submits == 2 * shape.slots, seconds=30, what="all submitted"
    )
    status = cluster.terminate(leaver)
    counts = cluster.wait_until_done(batch)

    broken_off = [ended for ended in cluster.seen.attempts(batch) if ended.code == "interrupted"]
    assert status == 0, leaver.log
    assert len(broken_off) == shape.slots
    assert counts.by_status == {JobStatus.SUCCEEDED: 2 * shape.slots}
    assert {job.attempts_used for job in cluster.seen.jobs(batch)} == {1}
    assert cluster.emulator.state.submits == 2 * shape.slots
    assert counts.cost == cluster.emulator.state.billed
