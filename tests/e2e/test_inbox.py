"""The inbox beside a running cluster: one job per committed row, whatever kills the leader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text

from api_models.status import JobStatus
from tests.cluster.cluster import Cluster
from tests.cluster.processes import WorkerProcess
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from tests.inbox_harness import insert
from worker.store.queries import jobs as job_queries
from worker.store.queries.jobs import JobRecord

SECONDS: Final = 60.0
ROWS: Final = 400
KILLS: Final = 3


def put(cluster: Cluster, texts: Sequence[str]) -> None:
    """Requests in one transaction."""
    with cluster.database.begin() as connection:
        for one in texts:
            insert(connection, {"text": one})


def jobs(cluster: Cluster) -> list[JobRecord]:
    """Every job there is."""
    with cluster.database.read() as connection:
        return job_queries.jobs(connection, job_queries.all_jobs(), most=10_000)


def living_leader(cluster: Cluster) -> WorkerProcess | None:
    """The worker that leads now. The lease of one that was killed lasts for a few seconds more."""
    leader = cluster.leader()
    return leader if leader is not None and leader.alive else None


def is_claimed(cluster: Cluster) -> bool:
    """Whether the leader holds the lock of a row that waits."""
    with cluster.database.begin() as connection:
        query = text("SELECT number FROM inbox WHERE handled_at IS NULL FOR UPDATE SKIP LOCKED")
        return connection.execute(query).first() is None


def test_a_leader_killed_between_claim_and_job_leaves_one_job(start_cluster: StartCluster) -> None:
    """It has locked the row and waits for the table of jobs when it is killed: the next leader makes the one job."""
    cluster = start_cluster(Shape(latency_seconds=0.05))
    leader = cluster.wait_for_leader()
    with cluster.database.begin() as blocker:
        blocker.execute(text("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE"))
        put(cluster, ["Said once."])
        wait_for(lambda: is_claimed(cluster), seconds=SECONDS, what="the claim")
        cluster.kill(leader)

    def spoken() -> bool:
        return [job.status for job in jobs(cluster)] == [JobStatus.SUCCEEDED]

    wait_for(spoken, seconds=SECONDS, what="the job spoken", instead=lambda: "\n".join(w.log for w in cluster.workers))
    assert cluster.emulator.state.calls == 1


def test_each_row_is_one_job_though_leaders_are_killed(start_cluster: StartCluster) -> None:
    """Killed right after a commit of hundreds of rows, thrice: as many jobs as rows, each text once."""
    cluster = start_cluster(Shape(latency_seconds=0.05))
    texts = [f"Seat number {number} is free." for number in range(ROWS * KILLS)]
    for number in range(KILLS):
        leader = wait_for(lambda: living_leader(cluster), seconds=SECONDS, what="a leader")
        put(cluster, texts[number * ROWS : (number + 1) * ROWS])
        cluster.kill(leader)
        cluster.add_worker()

    def are_all_there() -> bool:
        with cluster.database.read() as connection:
            query = text("SELECT count(*) FROM inbox WHERE handled_at IS NULL")
            return bool(connection.execute(query).scalar_one() == 0)

    wait_for(are_all_there, seconds=SECONDS, what="every row handled")
    with cluster.database.read() as connection:
        found = connection.execute(text("SELECT count(*), count(DISTINCT fingerprint) FROM jobs")).one()
        linked = connection.execute(text("SELECT count(DISTINCT job_id) FROM inbox")).scalar_one()
    assert tuple(found) == (len(texts), len(texts))
    assert linked == len(texts)
