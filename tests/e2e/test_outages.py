"""Services that run but don't serve: full, silent, read-only, locked, failing. The queue resumes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import make_url

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.cluster.cluster import Cluster
from tests.cluster.link import Link, Wire
from tests.cluster.processes import WorkerProcess
from tests.cluster.shape import Shape, StoreKind
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from tests.servers.postgres import Postgres
from tests.servers.refusing import RefusingServer
from tests.servers.valkey import Valkey
from worker.emulator.config import EmulatorConfig

LINES: Final = [f"Platform {number} is closed for repairs." for number in range(1, 81)]
SHAPE: Final = Shape(
    slots=5,
    latency_seconds=0.4,
    emulator=EmulatorConfig(audio_bytes=24_044),
    settings={"TTSQ_PROBE_SECONDS": "0.5"},
)
GOES_ON_WITHIN: Final = 60.0
TOLD_WITHIN: Final = 40.0
TAKES_OVER_WITHIN: Final = timedelta(seconds=20)


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Ways to servers that a test can cut."""
    with Wire() as made:
        yield made


def test_work_resumes_after_a_full_broker(start_cluster: StartCluster) -> None:
    """In mid-run and for a worker that starts meanwhile: nothing is sent or lost, and each worker reports why."""
    cluster = start_cluster(SHAPE)
    batch = cluster.submit(LINES)
    cluster.wait_until_succeeded(batch, 10)

    with _full(cluster.services.valkey):
        late = cluster.launch_worker()
        for worker in cluster.workers:
            _wait_for_words(worker, "the broker is full")
        diagnosis = cluster.ttsq("doctor").stdout
        status = cluster.ttsq("status").stdout
    _wait_until_resumed(cluster, batch, "Redis no longer full")
    cluster.wait_until_done(batch)

    assert "the broker is full" in diagnosis
    assert "maxmemory" in diagnosis
    assert "the broker is full" in status
    assert late.alive
    _assert_nothing_was_lost(cluster, batch)


def test_work_resumes_after_a_silent_broker(start_cluster: StartCluster) -> None:
    """Stopped in its tracks: connections stay and nothing is answered."""
    cluster = start_cluster(SHAPE)
    valkey = cluster.services.valkey
    batch = cluster.submit(LINES)
    cluster.wait_until_succeeded(batch, 10)

    valkey.pause()
    try:
        _wait_for_words(cluster.wait_for_leader(), "the broker does not answer")
    finally:
        valkey.resume()
    _wait_until_resumed(cluster, batch, "Redis awake")
    cluster.wait_until_done(batch)

    _assert_nothing_was_lost(cluster, batch)


def test_a_leader_without_a_broker_leaves_the_lead_to_one_that_has_it(start_cluster: StartCluster, wire: Wire) -> None:
    """Only its own connections break: another worker takes the lead, and work continues meanwhile."""
    cluster, links = _cut_off_one_by_one(start_cluster, wire, "TTSQ_BROKER_URL")
    lines = [f"Carriage {number} has no heating." for number in range(1, 201)]
    batch = cluster.submit(lines)
    cluster.wait_until_succeeded(batch, 10)
    leader = cluster.wait_for_leader()

    cut_at = datetime.now(UTC)
    links[leader.pid].cut()
    wait_for(lambda: cluster.leader() not in {None, leader}, seconds=TOLD_WITHIN, what="another one leads")
    cluster.wait_until_done(batch)
    links[leader.pid].restore()

    pause = _longest_pause(cluster, batch, cut_at)
    print(f"the leader lost Redis: longest pause {pause.total_seconds():.1f} s")
    assert pause < TAKES_OVER_WITHIN
    _assert_nothing_was_lost(cluster, batch)


def test_work_resumes_after_a_read_only_database(start_cluster: StartCluster) -> None:
    """A failover: sessions break, then all is read-only for a while. No call is begun, and none is recorded twice."""
    cluster = start_cluster(SHAPE)
    postgres = cluster.services.postgres
    assert postgres is not None
    batch = cluster.submit(LINES)
    cluster.wait_until_succeeded(batch, 10)

    with _read_only(postgres):
        for worker in cluster.workers:
            _wait_for_words(worker, "the database is read-only")
        wait_for(lambda: cluster.emulator.state.in_flight == 0, seconds=20, what="calls in flight answered")
        calls = cluster.emulator.state.calls
        diagnosis = cluster.ttsq("doctor")
        assert cluster.emulator.state.calls == calls, "a call was begun that could not be recorded"
    _wait_until_resumed(cluster, batch, "PostgreSQL writable")
    cluster.wait_until_done(batch)

    assert diagnosis.returncode != 0
    assert "read-only" in diagnosis.stdout
    assert all("worker_lost" not in worker.log for worker in cluster.workers), "a living worker was given up"
    _assert_nothing_was_lost(cluster, batch)


def test_locked_rows_are_waited_for(start_cluster: StartCluster) -> None:
    """As a migration or a dump might: statements give up in time, are told, and given again."""
    cluster = start_cluster(SHAPE)
    batch = cluster.submit(LINES)
    cluster.wait_until_succeeded(batch, 10)

    with psycopg.connect(_plain(cluster.place.database_url)) as stranger:
        stranger.execute("LOCK TABLE jobs IN EXCLUSIVE MODE")
        wait_for(
            lambda: any("another transaction holds a row" in worker.log for worker in cluster.workers),
            seconds=TOLD_WITHIN,
            what="the lock is reported",
        )
    _wait_until_resumed(cluster, batch, "the lock gone")
    cluster.wait_until_done(batch)

    _assert_nothing_was_lost(cluster, batch)


def test_transactions_may_fail_for_their_isolation(start_cluster: StartCluster) -> None:
    """A server whose default is SERIALIZABLE changes nothing: the connections ask for what they are made for."""
    cluster = start_cluster(SHAPE)
    postgres = cluster.services.postgres
    assert postgres is not None
    with _altered(postgres, "default_transaction_isolation", "serializable"):
        cluster.add_worker()
        batch = cluster.submit(LINES)
        cluster.wait_until_done(batch)

    assert all("serialize" not in worker.log for worker in cluster.workers)
    _assert_nothing_was_lost(cluster, batch)


def test_a_leader_that_the_database_does_not_answer_is_replaced(start_cluster: StartCluster, wire: Wire) -> None:
    """Half-open: its connections stay silent and open. Another worker leads; only calls in flight are repeated."""
    cluster, links = _cut_off_one_by_one(start_cluster, wire, "TTSQ_DATABASE_URL")
    lines = [f"Signal box {number} is not manned." for number in range(1, 401)]
    batch = cluster.submit(lines)
    cluster.wait_until_succeeded(batch, 10)
    leader = cluster.wait_for_leader()

    frozen_at = datetime.now(UTC)
    links[leader.pid].freeze()
    wait_for(lambda: cluster.leader() not in {None, leader}, seconds=TOLD_WITHIN, what="another one leads")
    taken_over_after = datetime.now(UTC) - frozen_at
    _wait_for_words(leader, "heartbeat_failed")  # no answer, on the old connection or on a new one
    links[leader.pid].restore()
    cluster.wait_until_done(batch)

    attempts = cluster.seen.attempts(batch)
    lost = [ended for ended in attempts if ended.verdict in {VerdictKind.LOST, VerdictKind.LATE}]
    print(f"the leader lost PostgreSQL: another one led after {taken_over_after.total_seconds():.1f} s")
    assert taken_over_after < TAKES_OVER_WITHIN
    assert len(lost) <= SHAPE.slots
    assert cluster.seen.billed_twice() <= cluster.seen.texts_of(lost)
    assert cluster.counts(batch).by_status == {JobStatus.SUCCEEDED: len(lines)}
    assert cluster.counts(batch).cost == cluster.emulator.state.billed


@pytest.mark.parametrize("way", ["errors", "refused connections"])
def test_work_resumes_after_an_outage_of_the_store(start_cluster: StartCluster, wire: Wire, way: str) -> None:
    """500s or no server: no more is bought than fits in the spool, and all of it is stored after the outage."""
    cluster = start_cluster(Shape(workers=0, slots=5, latency_seconds=0.4, settings=SHAPE.settings))
    s3 = cluster.services.s3
    assert s3 is not None
    link = wire.link(s3.port)
    cluster.add_worker(AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{link.address[1]}")
    batch = cluster.submit(LINES[:40])
    cluster.wait_until_succeeded(batch, 10)

    with RefusingServer() as refusing:
        link.cut()
        if way == "errors":
            link.target_port = refusing.port
            link.restore()
        hold = wait_for(
            lambda: next((hold for hold in cluster.seen.holds() if hold.name == "storage"), None),
            seconds=TOLD_WITHIN,
            what="the storage gate closes",
        )
        wait_for(lambda: cluster.emulator.state.in_flight == 0, seconds=20, what="calls in flight answered")
        in_hand = cluster.emulator.state.calls - cluster.counts(batch).of(JobStatus.SUCCEEDED)
        link.target_port = s3.port
        link.cut()
    link.restore()
    _wait_until_resumed(cluster, batch, "S3 well again")
    cluster.wait_until_done(batch)

    assert hold.code in {"unexpected", "unreachable"}
    assert in_hand <= 5, "more was bought than there are slots to hold it"
    assert len(cluster.seen.keys()) == 40
    _assert_nothing_was_lost(cluster, batch)


def _cut_off_one_by_one(start_cluster: StartCluster, wire: Wire, setting: str) -> tuple[Cluster, dict[int, Link]]:
    """Two workers, each with its own link to one service, by process id."""
    cluster = start_cluster(
        Shape(workers=0, slots=5, latency_seconds=0.4, store=StoreKind.MOTO, emulator=SHAPE.emulator)
    )
    links = {}
    for _ in range(2):
        url = make_url(cluster.environment()[setting])
        assert url.port is not None
        link = wire.link(url.port)
        own = url.set(port=link.address[1]).render_as_string(hide_password=False)
        links[cluster.add_worker(**{setting: own}).pid] = link
    return cluster, links


@contextmanager
def _full(valkey: Valkey) -> Iterator[None]:
    """A Redis that takes nothing more."""
    with closing(valkey.client()) as client:
        client.config_set("maxmemory", "1mb")
        client.config_set("maxmemory-policy", "noeviction")
        try:
            yield
        finally:
            client.config_set("maxmemory", "0")


@contextmanager
def _read_only(postgres: Postgres) -> Iterator[None]:
    """A PostgreSQL that has closed every connection and refuses writes."""
    with _altered(postgres, "default_transaction_read_only", "on"):
        with _administrator(postgres) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ttsq'")
        yield


@contextmanager
def _altered(postgres: Postgres, name: str, value: str) -> Iterator[None]:
    """A PostgreSQL with another default."""
    with _administrator(postgres) as connection:
        connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        connection.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            connection.execute(f"ALTER SYSTEM RESET {name}")
            connection.execute("SELECT pg_reload_conf()")


@contextmanager
def _administrator(postgres: Postgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(_plain(postgres.url()), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        yield connection


def _plain(url: str) -> str:
    return url.replace("+psycopg", "", 1)


def _wait_for_words(worker: WorkerProcess, words: str) -> None:
    wait_for(lambda: words in worker.log, seconds=TOLD_WITHIN, what=f"{worker.name} says: {words}")


def _wait_until_resumed(cluster: Cluster, batch: UUID, what: str) -> None:
    """Return once a call begins, and tell how long that took. Work must be left for it."""
    well_at = datetime.now(UTC)
    waiting = (JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.DISPATCHED)
    wait_for(lambda: cluster.counts(batch).of(*waiting), seconds=5, what="work that is left after it was hurt")

    def first_start() -> datetime | None:
        starts = [ended.started_at for ended in cluster.seen.attempts(batch) if ended.started_at > well_at]
        return min(starts, default=None)

    began_at = wait_for(
        first_start, seconds=GOES_ON_WITHIN, what="a call begins", instead=lambda: cluster.report(batch)
    )
    print(f"{what}: the first call began after {(began_at - well_at).total_seconds():.1f} s")


def _longest_pause(cluster: Cluster, batch: UUID, since: datetime) -> timedelta:
    starts = sorted(ended.started_at for ended in cluster.seen.attempts(batch) if ended.started_at > since)
    return max(later - earlier for earlier, later in pairwise([since, *starts]))


def _assert_nothing_was_lost(cluster: Cluster, batch: UUID) -> None:
    counts, bill = cluster.counts(batch), cluster.emulator.state
    assert counts.by_status == {JobStatus.SUCCEEDED: counts.total}
    assert cluster.seen.billed_twice() == set()
    assert counts.cost == bill.billed
    assert all(worker.alive for worker in cluster.workers)
    assert {tuple(worker.spooled()) for worker in cluster.workers} == {()}
