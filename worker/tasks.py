"""The Celery tasks. All but one carry ids; they are safe to run twice, and do nothing themselves."""

from __future__ import annotations

import time

from celery import Task, shared_task

from worker import app
from worker.broker import publisher
from worker.broker.consumer import AttemptTask


@shared_task(name=publisher.ATTEMPT, base=AttemptTask, bind=False)
def attempt(job_id: str, number: int) -> None:
    """It is this job's turn; `number` is how many claims it has seen."""
    app.carry_out(job_id, number)


@shared_task(name=publisher.SUBMIT, bind=True, max_retries=None)
def submit(
    self: Task[..., None],
    request: object,
    *,
    tenant: str | None = None,
    idempotency_key: str | None = None,
) -> None:
    """A producer without a way to the database asks for a job, as `docs/producers.md` says."""
    if not app.submit(request, message_id=str(self.request.id), tenant=tenant, key=idempotency_key):
        time.sleep(app.SUBMIT_AGAIN_SECONDS)  # the database is away; the slot has nothing better to do
        raise self.retry(countdown=0)


@shared_task(name=publisher.FINISH)
def finish(batch_id: str) -> None:
    """All jobs of this batch are over, and its result files aren't written."""
    app.finish(batch_id)


@shared_task(name=publisher.SCHEDULE)
def schedule(tenant: str, name: str, due_at: str) -> None:
    """This run of a schedule is to be carried out."""
    app.carry_out_schedule(tenant, name, due_at)


@shared_task(name=publisher.DELIVER)
def deliver(delivery_id: str, attempts: int) -> None:
    """It is this delivery's turn; `attempts` is how many requests were made for it."""
    app.deliver(delivery_id, attempts)
