"""The Celery application: `celery -A worker.app worker` is all it takes to add a worker.

The broker only wakes workers. A message says which job's turn it is, and losing every message loses nothing.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import structlog
from celery import Celery, signals
from celery.worker import WorkController
from kombu import Queue
from kombu.transport import TRANSPORT_ALIASES
from sqlalchemy.exc import SQLAlchemyError

from api_models.problems import InvalidInputError
from worker import settings
from worker.broker import bootsteps
from worker.broker.publisher import Publisher
from worker.process import runtime
from worker.process.broker_status import BrokerStatus
from worker.process.factories import StartError, open_database
from worker.process.memory import freeze_startup_objects, release_large_blocks
from worker.process.runtime import Runtime
from worker.process.shutdown import Shutdown, ShutdownRequest
from worker.producer import DEFAULT_TENANT, messages
from worker.producer.messages import Message
from worker.settings import Settings
from worker.store.database import is_passing
from worker.store.errors import describe
from worker.store.schedules import RunKey
from worker.telemetry import logs

MEMORY: Final = "memory://localhost/"
"""The in-memory broker, with a host that kombu would otherwise warn of the lack of."""
SUBMIT_AGAIN_SECONDS: Final = 1.0
"""What a producer's message waits while the database is away, before it goes back to the queue."""

log = structlog.get_logger("ttsq.worker")

_here: list[Runtime] = []
"""The runtime of this process; at most one."""

_leaving: list[Shutdown] = []
"""How this process leaves, once it has a runtime."""


def make_app(configuration: Settings, queue: str) -> Celery:
    """A Celery application for these settings, reading one queue."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "worker.broker.redis_transport:Transport"))
    app = Celery("ttsq", set_as_current=False)
    app.conf.update(
        broker_url=MEMORY if configuration.embedded else configuration.broker_url,
        imports=("worker.tasks",),
        task_queues=(Queue(queue, durable=True),),
        task_default_queue=queue,
        task_acks_late=True,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_serializer="json",
        accept_content=["json"],
        task_send_sent_event=False,
        worker_send_task_events=configuration.celery_events == "on",
        worker_pool="threads",
        worker_concurrency=configuration.concurrency,
        worker_prefetch_multiplier=1,
        worker_disable_rate_limits=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_channel_error_retry=True,  # a broker that is full refuses a new consumer; that passes like all else
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
        "heard": _heard,
    }


def _heard() -> None:
    """Redis has answered the wait for messages."""
    if _here:
        here().broker.connected()


def here() -> Runtime:
    """The runtime of this process."""
    return _here[0]


def settle_in(parts: Runtime) -> None:
    """Make a runtime the one that this process's tasks use."""
    _here[:] = [parts]
    freeze_startup_objects()


def carry_out(job_id: str, attempt: int) -> None:
    """What the task does with its message where Celery gives it a thread."""
    if _here:
        here().executor.run(UUID(job_id), attempt)


def begin(job_id: UUID, attempt: int, ended: Callable[[], object]) -> None:
    """What is done with the task's message where it has none."""
    if _here:
        here().executor.begin(job_id, attempt, ended)
    else:
        ended()


def when_quiet(work: Callable[[], object]) -> None:
    """Do it when the attempts have done what there is to do for them just now."""
    if _here:
        here().executor.crews.attempts.add(work)
    else:
        work()


def deliver(delivery_id: str, attempts: int) -> None:
    """What the other task does with its message: it is handed over at once, so that no slot waits for a receiver."""
    if _here:
        here().hands.take(UUID(delivery_id), attempts)


def finish(batch_id: str) -> None:
    """What the third task does with its message: handed over as well."""
    if _here:
        here().desk.take(UUID(batch_id))


def carry_out_schedule(tenant: str, schedule: str, due_at: str) -> None:
    """What a schedule's task does with its message: handed over as well."""
    if _here:
        here().clerk.take(RunKey(tenant, schedule, datetime.fromisoformat(due_at)))


def submit(request: object, *, message_id: str, tenant: str | None, key: str | None) -> bool:
    """What a producer's message asks for, done: its job is written, or its refusal. False where neither could be."""
    if not _here:
        return False
    message = Message(message_id, request, tenant or DEFAULT_TENANT, key or f"celery {message_id}")
    try:
        if messages.take(message, here().database, here().settings):
            here().dispatcher.wake()
    except SQLAlchemyError as error:
        if not is_passing(error):
            raise
        log.warning("submission_waits", message=message_id, error=describe(error))
        return False
    return True


@lru_cache(maxsize=1)
def _worker_app() -> Celery:
    """The application of a worker process that Celery itself starts."""
    try:
        configuration = settings.current()
    except InvalidInputError as error:
        sys.exit("\n".join(["ttsq: the settings are not usable:", *(f"  {fault}" for fault in error.faults)]))
    app = make_app(configuration, runtime.QUEUE)
    app.set_default()
    bootsteps.add_to(app, start=_start, ask=_ask, broker=lambda: here().broker)
    bootsteps.quieten(lambda: here().broker)
    signals.setup_logging.connect(_configure_logs)
    signals.worker_init.connect(_build)
    signals.worker_shutdown.connect(_leave)
    return app


def _configure_logs(**_: object) -> None:
    logs.configure(settings.current())
    logging.getLogger("celery").setLevel(logging.WARNING)


def _build(**_: object) -> None:
    """Before anything is consumed: a worker that could not work must not start."""
    _configure_logs()
    configuration = settings.current()
    if configuration.embedded:
        sys.exit("ttsq: TTSQ_BROKER_URL is memory://, which only reaches its own process; set it to redis://…")
    if os.geteuid() == 0:
        log.warning("runs_as_root", remedy="give the worker a user of its own; it needs no rights but on its spool")
    release_large_blocks()
    broker = BrokerStatus()
    messenger = Publisher(_worker_app(), runtime.QUEUE, broker)
    try:
        database = open_database(configuration)
        settle_in(runtime.build(configuration, database, messenger, broker=broker))
    except StartError as error:
        sys.exit(f"ttsq: {error.message}; {error.remedy}")
    except SQLAlchemyError as error:
        sys.exit(_no_database(error))
    _leaving.append(Shutdown(here(), grace_seconds=configuration.grace_seconds))


# Celery logs what its signals' receivers raise and goes on. Only SystemExit gets through, and a worker without its
# runtime must not go on: it would take messages and do nothing about them.


def _start() -> None:
    try:
        here().start()
    except SQLAlchemyError as error:
        sys.exit(_no_database(error))


def _no_database(error: SQLAlchemyError) -> str:
    return f"ttsq: the database can't be used ({str(error).splitlines()[0]}); see `ttsq doctor`"


def _ask(how: ShutdownRequest) -> None:
    """In a signal handler, between any two instructions of the main thread."""
    for leaving in _leaving:
        leaving.ask(how)


def _leave(sender: WorkController, **_: object) -> None:
    """Celery is done, whether it was asked to be or broke off. What kept it from starting is told by its own end."""
    told = isinstance(sender.exitcode, str)
    for leaving in _leaving if not told else ():
        leaving.complete(int(sender.exitcode or 0))


def __getattr__(name: str) -> Celery:
    """`worker.app.app` is made when Celery asks for it, so that importing this module reads no settings."""
    if name in {"app", "celery"}:
        return _worker_app()
    raise AttributeError(name)
