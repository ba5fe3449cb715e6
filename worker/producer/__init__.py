"""Producers in Python: they write rows inside the caller's transaction and need no broker.

A job exists exactly if the transaction commits, and the commit notifies the dispatcher.
"""

from api_models.origins import DEFAULT_TENANT
from worker.producer.batch import AGAIN, Submission, resume_key, submit_batch
from worker.producer.errors import KeyReusedError, NoSuchJobError, NotFinishedError
from worker.producer.jobs import (
    enqueue,
    enqueue_async,
    enqueue_many,
    enqueue_many_async,
    enqueue_rows,
)
from worker.producer.rows import content_of, job_row
from worker.producer.waiting import wait, wait_async, watch, watch_async

__all__ = [
    "AGAIN",
    "DEFAULT_TENANT",
    "KeyReusedError",
    "NoSuchJobError",
    "NotFinishedError",
    "Submission",
    "content_of",
    "enqueue",
    "enqueue_async",
    "enqueue_many",
    "enqueue_many_async",
    "enqueue_rows",
    "job_row",
    "resume_key",
    "submit_batch",
    "wait",
    "wait_async",
    "watch",
    "watch_async",
]
