"""Producers beside a running cluster: committed jobs succeed, whatever happens to the broker."""

from __future__ import annotations

from uuid import UUID, uuid4

from celery import Celery
from sqlalchemy.orm import Session

from api_models.speech import JobRequest
from api_models.status import JobStatus
from tests.cluster.cluster import Cluster
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from worker import producer
from worker.producer.messages import REFUSED
from worker.store.outbox import events
from worker.store.queries import jobs as job_queries
from worker.store.queries.jobs import JobRecord

SHAPE = Shape(workers=1, slots=5, latency_seconds=0.1)
SECONDS = 60.0


def jobs(cluster: Cluster) -> list[JobRecord]:
    """Every job there is."""
    with cluster.database.read() as connection:
        return job_queries.jobs(connection, job_queries.all_jobs())


def refusals(cluster: Cluster) -> list[events.Event]:
    """Every message that was refused."""
    with cluster.database.read() as connection:
        return events.after(connection, 0, most=100, types=[REFUSED])


def test_what_was_committed_is_spoken_though_the_broker_dies(start_cluster: StartCluster) -> None:
    """Written while the broker is dead, by a producer that doesn't use it; a rolled back batch leaves nothing."""
    cluster = start_cluster(SHAPE)
    origin = cluster.emulator.base_url
    engine = cluster.database.engine

    with Session(engine) as session:
        producer.enqueue(session, JobRequest(text="This was called off."), origin=origin)
        session.rollback()
    with Session(engine) as session, session.begin():
        early = producer.enqueue(session, JobRequest(text="Said just before."), origin=origin)
    cluster.services.valkey.kill()
    with Session(engine) as session, session.begin():
        late = producer.enqueue(session, JobRequest(text="Said in the silence."), origin=origin)
    cluster.services.valkey.restart()

    ended = [producer.wait(job, timeout_seconds=SECONDS, engine=engine) for job in (early, late)]
    assert [job.status for job in ended] == [JobStatus.SUCCEEDED] * 2
    assert {job.id for job in jobs(cluster)} == {early, late}
    assert cluster.emulator.state.calls == 2


def test_a_message_makes_one_job_however_often_it_is_sent(start_cluster: StartCluster) -> None:
    """A Celery application that only reaches the broker: one job per key; a bad request is reported in an event."""
    cluster = start_cluster(SHAPE)
    shop = Celery("shop", broker=cluster.environment()["TTSQ_BROKER_URL"], set_as_current=False)
    task_id = str(uuid4())
    request = {"text": "Your order is on its way.", "custom_id": "order-17", "tags": ["orders"]}
    try:
        for _ in range(2):
            shop.send_task("ttsq.submit", args=[request], queue="ttsq", task_id=task_id)
        for _ in range(2):
            shop.send_task("ttsq.submit", args=[{"text": "Keyed."}], kwargs={"idempotency_key": "k"}, queue="ttsq")
        bad = shop.send_task("ttsq.submit", args=[{"text": "…", "voice_1": "Unknown"}], queue="ttsq").id
        wait_for(lambda: len(jobs(cluster)) == 2, seconds=SECONDS, what="both keys taken")
        other = {"text": "Another text."}
        reused = shop.send_task("ttsq.submit", args=[other], kwargs={"idempotency_key": "k"}, queue="ttsq").id
        wait_for(lambda: len(refusals(cluster)) == 2, seconds=SECONDS, what="both refusals")
    finally:
        shop.close()

    done = wait_for(lambda: _all_spoken(cluster), seconds=SECONDS, what="both jobs spoken")
    assert {job.custom_id for job in done} == {"order-17", None}
    told = {event.subject: " ".join(event.data["faults"]) for event in refusals(cluster)}
    assert told.keys() == {bad, reused}
    assert "Unknown" in told[bad]
    assert "no letter" in told[bad]
    assert "'k'" in told[reused]


def test_a_request_that_can_never_succeed_is_refused_by_an_event(start_cluster: StartCluster) -> None:
    """Wrong keywords, types and characters: one event each, and the worker continues with the good one."""
    cluster = start_cluster(SHAPE)
    shop = Celery("shop", broker=cluster.environment()["TTSQ_BROKER_URL"], set_as_current=False)
    hello = {"text": "Hello there."}
    wrong: dict[str, tuple[list[object], dict[str, object]]] = {
        "is no keyword of ttsq.submit": ([hello], {"idempotency-key": "x"}),
        "as the only argument, not 0": ([], {}),
        "as the only argument, not 2": ([hello, hello], {}),
        "tenant: must be a string, not int": ([hello], {"tenant": 5}),
        "tenant: contains a NUL": ([hello], {"tenant": "a\x00b"}),
        "idempotency_key: contains a NUL": ([hello], {"idempotency_key": "\ud800"}),
        "idempotency_key: has 400": ([hello], {"idempotency_key": "x" * 400}),
        "must be an object": (["hello"], {}),
        "text: must be text": ([{"text": 5}], {}),
        "custom_id": ([{"text": "Hi.", "custom_id": "a\x00b"}], {}),
    }
    try:
        sent = {
            shop.send_task("ttsq.submit", args=args, kwargs=kwargs, queue="ttsq").id: part
            for part, (args, kwargs) in wrong.items()
        }
        sent[shop.send_task("ttsq.submit", args=[hello], queue="ttsq", countdown=60).id] = "not_before"
        good = shop.send_task("ttsq.submit", args=[hello], kwargs={"tenant": "shop"}, queue="ttsq").id
        wait_for(lambda: len(refusals(cluster)) == len(sent), seconds=SECONDS, what="all refusals")
        wait_for(lambda: jobs(cluster), seconds=SECONDS, what="the good one")
    finally:
        shop.close()
    told = {event.subject: " ".join(event.data["faults"]) for event in refusals(cluster)}
    assert good not in told
    for task_id, part in sent.items():
        assert part in told[task_id], told[task_id]
    assert [job.tenant for job in jobs(cluster)] == ["shop"]


def _all_spoken(cluster: Cluster) -> list[JobRecord] | None:
    found = jobs(cluster)
    return found if len(found) == 2 and {job.status for job in found} == {JobStatus.SUCCEEDED} else None


def test_a_message_waits_for_the_database(start_cluster: StartCluster) -> None:
    """Taken while PostgreSQL is dead, it goes back to the queue until its job can be written."""
    cluster = start_cluster(SHAPE)
    postgres = cluster.services.postgres
    assert postgres is not None
    shop = Celery("shop", broker=cluster.environment()["TTSQ_BROKER_URL"], set_as_current=False)
    worker = cluster.workers[0]
    try:
        postgres.kill()
        shop.send_task("ttsq.submit", args=[{"text": "Patience."}], queue="ttsq")
        wait_for(lambda: "submission_waits" in worker.log, seconds=SECONDS, what="a try without a database")
    finally:
        postgres.restart()
        shop.close()
    job: UUID = wait_for(lambda: jobs(cluster), seconds=SECONDS, what="the job")[0].id
    assert producer.wait(job, timeout_seconds=SECONDS, engine=cluster.database.engine).status == JobStatus.SUCCEEDED
