"""A schedule whose dispatchers are killed (SIGKILL) around its due times: each of them is run, and run once."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from tests.cluster.cluster import Cluster
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from worker.schedules.cron import next_after
from worker.store import schedules
from worker.store.schedules import RunRecord, RunState, ScheduleRecord
from worker.store.tables.jobs import Batch, Job

EVERY_SECOND = "* * * * * *"
KILLS = 3
LINES = ["Good night.", "Sleep well."]


def test_each_due_time_is_run_once_over_failovers(start_cluster: StartCluster, tmp_path: Path) -> None:
    """Due every second, while the leader is killed again and again: no time is left out, and none comes twice."""
    cluster = start_cluster(Shape(latency_seconds=0.1))
    source = tmp_path / "nightly.csv"
    source.write_text("\n".join(["text", *LINES, ""]))
    first = begin(cluster, source)
    for _ in range(KILLS):
        leader = cluster.wait_for_leader()
        killed_at = cluster.kill(leader)
        cluster.add_worker()
        wait_for(lambda since=killed_at: ran_since(cluster, since), seconds=60, what="a run under another leader")  # type: ignore[misc]
    with cluster.database.begin() as connection:
        schedules.pause(connection, "default", "nightly", now=cluster.database.now(connection))
    runs = wait_for(lambda: all_done(cluster), seconds=60, what="all runs done")

    times = sorted(run.due_at for run in runs)
    assert times == [first + timedelta(seconds=number) for number in range(len(times))]
    assert len(times) > 3 * KILLS
    assert texts_of_batches(cluster) == {run.batch_id: LINES for run in runs}
    assert Counter(run.batch_id for run in runs).most_common(1)[0][1] == 1


def begin(cluster: Cluster, source: Path) -> datetime:
    """Make the schedule; its first time."""
    with cluster.database.begin() as connection:
        now = cluster.database.now(connection)
        due = next_after(EVERY_SECOND, "UTC", now)
        assert due is not None
        schedules.add(
            connection, ScheduleRecord("default", "nightly", EVERY_SECOND, "UTC", str(source), "{}", 3_600, now, due)
        )
    return due


def the_runs(cluster: Cluster) -> list[RunRecord]:
    """All of them."""
    with cluster.database.read() as connection:
        return schedules.runs(connection, "default", "nightly", most=10_000)


def ran_since(cluster: Cluster, moment: datetime) -> bool:
    """Whether a time after this one was carried out."""
    return any(run.due_at > moment and run.state is RunState.DONE for run in the_runs(cluster))


def all_done(cluster: Cluster) -> list[RunRecord]:
    """The runs, once none is open any more."""
    runs = the_runs(cluster)
    return runs if all(run.state is RunState.DONE for run in runs) else []


def texts_of_batches(cluster: Cluster) -> dict[UUID | None, list[str]]:
    """What each batch asks for."""
    found: dict[UUID | None, list[str]] = {}
    with cluster.database.read() as connection:
        for batch, text in connection.execute(
            select(Batch.id, Job.text).join(Job, Job.batch_id == Batch.id).order_by(Job.id)
        ):
            found.setdefault(batch, []).append(text)
    return found
