"""The Celery application: `celery -A worker.app worker` is all it takes to add a worker.

The broker only wakes workers. A message says which job's turn it is, and losing every message loses nothing.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import structlog
from celery import Celery, signals
from kombu import Producer, Queue
from kombu.exceptions import KombuError
from kombu.transport import TRANSPORT_ALIASES
from sqlalchemy.exc import SQLAlchemyError
from uuid_utils.compat import uuid7

from api_models.problems import InvalidInputError
from worker import logs, runtime, settings
from worker.runtime import Runtime, StartError
from worker.settings import Settings
from worker.store.transitions.dispatching import Waiting

TASK: Final = "ttsq.attempt"
STOP_SECONDS: Final = 10.0

_HEADERS: Final = {
    "lang": "py",
    "task": TASK,
    "parent_id": None,
    "group": None,
    "retries": 0,
    "eta": None,
    "expires": None,
    "timelimit": [None, None],
    "ignore_result": True,
}
_NO_SEQUEL: Final = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
"""The part of a message that says what comes after its task; here it is always nothing."""

log = structlog.get_logger("ttsq.broker")

_here: list[Runtime] = []
"""The runtime of this process; at most one."""

_stopping: list[threading.Thread] = []


def make_app(configuration: Settings, queue: str) -> Celery:
    """A Celery application for these settings, reading one queue."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "worker.redis_transport:Transport"))
    app = Celery("ttsq", set_as_current=False)
    app.conf.update(
        broker_url=configuration.broker_url,
        imports=("worker.tasks",),
        task_queues=(Queue(queue, durable=True),),
        task_default_queue=queue,
        task_acks_late=True,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_serializer="json",
        accept_content=["json"],
        task_send_sent_event=False,
        worker_pool="threads",
        worker_concurrency=configuration.concurrency,
        worker_prefetch_multiplier=1,
        worker_disable_rate_limits=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=configuration.grace_seconds,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_acquire_timeout=5,
        broker_transport_options=_transport_options(configuration),
    )
    return app


def _transport_options(configuration: Settings) -> dict[str, Any]:
    if configuration.embedded:
        return {"polling_interval": 0.005}
    return {
        # No copies of unacknowledged messages in Redis: the rows bring a lost one back, sooner and surely.
        "ack_emulation": False,
        "socket_timeout": 15,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }


def publisher(app: Celery, queue: str) -> Callable[[Sequence[Waiting]], Sequence[Waiting]]:
    """Sends one message a job to the queue; what could not be sent comes back."""

    broken = _sending_errors(app)

    def publish(jobs: Sequence[Waiting]) -> Sequence[Waiting]:
        try:
            # The messages of a tick leave in one pipeline; a transport without them sends each by itself. After a
            # failure nobody knows how many left, so all count as unsent: a second message for a turn changes nothing.
            with app.producer_pool.acquire(block=True, timeout=5) as producer, _together(producer):
                for job in jobs:
                    _send(producer, queue, job)
        except broken as error:
            log.warning("publish_failed", unsent=len(jobs), error=str(error).splitlines()[0])
            return jobs
        return ()

    return publish


def _together(producer: Producer) -> AbstractContextManager[object]:
    batch: AbstractContextManager[object] = producer.batch()  # type: ignore[attr-defined]  # its stubs are of an older kombu
    return batch


def _send(producer: Producer, queue: str, job: Waiting) -> None:
    """One message in version 2 of Celery's documented protocol; building it by hand costs half of `send_task`."""
    message_id = str(uuid7())
    producer.publish(
        ((str(job.job_id), job.attempt), {}, _NO_SEQUEL),
        routing_key=queue,
        exchange="",
        serializer="json",
        correlation_id=message_id,
        headers={"id": message_id, "root_id": message_id, **_HEADERS},
        retry=False,
    )


def _sending_errors(app: Celery) -> tuple[type[BaseException], ...]:
    with app.connection_for_write() as connection:
        return KombuError, OSError, *connection.connection_errors, *connection.channel_errors


def here() -> Runtime:
    """The runtime of this process."""
    return _here[0]


def settle_in(parts: Runtime) -> None:
    """Make a runtime the one that this process's tasks use."""
    _here[:] = [parts]


def carry_out(job_id: str, attempt: int) -> None:
    """What the task does with its message."""
    if _here:
        here().executor.run(UUID(job_id), attempt)


@lru_cache(maxsize=1)
def _worker_app() -> Celery:
    """The application of a worker process that Celery itself starts."""
    try:
        configuration = settings.current()
    except InvalidInputError as error:
        sys.exit("\n".join(["ttsq: the settings are not usable:", *(f"  {fault}" for fault in error.faults)]))
    app = make_app(configuration, runtime.QUEUE)
    app.set_default()
    signals.setup_logging.connect(_configure_logs)
    signals.worker_init.connect(_build)
    signals.worker_ready.connect(_start)
    signals.worker_shutting_down.connect(_begin_stop)
    signals.worker_shutdown.connect(_finish_stop)
    return app


def _configure_logs(**_: object) -> None:
    logs.configure(settings.current())
    logging.getLogger("celery").setLevel(logging.WARNING)


def _build(**_: object) -> None:
    """Before anything is consumed: a worker that could not work must not start."""
    configuration = settings.current()
    if configuration.embedded:
        sys.exit("ttsq: TTSQ_BROKER_URL is memory://, which only reaches its own process; set it to redis://…")
    app = _worker_app()
    try:
        settle_in(runtime.build(configuration, runtime.open_database(configuration), publisher(app, runtime.QUEUE)))
    except StartError as error:
        sys.exit(f"ttsq: {error.message}; {error.remedy}")
    except SQLAlchemyError as error:
        sys.exit(_no_database(error))


# Celery logs what its signals' receivers raise and goes on. Only SystemExit gets through, and a worker without its
# runtime must not go on: it would take messages and do nothing about them.


def _start(**_: object) -> None:
    try:
        here().start()
    except SQLAlchemyError as error:
        sys.exit(_no_database(error))


def _no_database(error: SQLAlchemyError) -> str:
    return f"ttsq: the database can't be used ({str(error).splitlines()[0]}); see `ttsq doctor`"


def _begin_stop(**_: object) -> None:
    # The receiver runs inside the signal handler, between any two instructions of the main thread. A thread of its own
    # can wait for locks that the main thread may be holding.
    _stopping.append(threading.Thread(target=here().begin_stop, name="ttsq-stop", daemon=True))
    _stopping[-1].start()


def _finish_stop(**_: object) -> None:
    for thread in _stopping:
        thread.join(STOP_SECONDS)
    here().finish_stop()


def __getattr__(name: str) -> Celery:
    """`worker.app.app` is made when Celery asks for it, so that importing this module reads no settings."""
    if name in {"app", "celery"}:
        return _worker_app()
    raise AttributeError(name)
