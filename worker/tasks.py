"""The Celery tasks. All but `submit` carry only ids, are safe to run twice, and only delegate."""

from __future__ import annotations

import time

from celery import Task, shared_task

from worker.broker import current
from worker.broker.consumer import AttemptTask
from worker.broker.messages import SUBMIT, AttemptMessage, DeliveryMessage, FinishMessage, ScheduleMessage


@shared_task(name=AttemptMessage.task, base=AttemptTask, bind=False)
def attempt(job_id: str, number: int) -> None:
    """`number` is how many claims the dispatcher saw."""
    current.run_attempt(AttemptMessage.decode(job_id, number))


@shared_task(name=SUBMIT, bind=True, max_retries=None)
def submit(self: Task[..., None], /, *args: object, **kwargs: object) -> None:
    """Write a job for a producer without database access; see `docs/producers.md`.

    Any arguments are taken: wrong ones are refused by an event, which the producer looks for.
    """
    if not current.submit(str(self.request.id), args, kwargs):
        time.sleep(current.SUBMIT_AGAIN_SECONDS)  # the database is unavailable: throttle the requeueing
        raise self.retry(countdown=0)


@shared_task(name=FinishMessage.task)
def finish(batch_id: str) -> None:
    """Write the result files of a batch whose jobs have all finished."""
    current.finish(FinishMessage.decode(batch_id))


@shared_task(name=ScheduleMessage.task)
def schedule(tenant: str, name: str, due_at: str) -> None:
    current.run_schedule(ScheduleMessage.decode(tenant, name, due_at))


@shared_task(name=DeliveryMessage.task)
def deliver(delivery_id: str, attempts: int) -> None:
    """`attempts` is the number of requests sent so far."""
    current.deliver(DeliveryMessage.decode(delivery_id, attempts))
