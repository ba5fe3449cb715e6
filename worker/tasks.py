"""The Celery tasks. They carry ids, are safe to run twice, and do nothing themselves."""

from __future__ import annotations

from celery import shared_task

from worker import app


@shared_task(name=app.TASK)
def attempt(job_id: str, number: int) -> None:
    """It is this job's turn; `number` is how many claims it has seen."""
    app.carry_out(job_id, number)


@shared_task(name=app.DELIVER)
def deliver(delivery_id: str, attempts: int) -> None:
    """It is this delivery's turn; `attempts` is how many requests were made for it."""
    app.deliver(delivery_id, attempts)
