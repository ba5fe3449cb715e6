"""The Celery application: `celery -A worker.app worker` adds a worker.

The broker only wakes workers; losing every message loses nothing.
"""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from typing import Any, Final

import structlog
from celery import Celery, signals
from celery.worker import WorkController
from sqlalchemy.exc import SQLAlchemyError

from api_models.problems import InvalidInputError
from worker import settings
from worker.broker import bootsteps, current, reading
from worker.broker.app_factory import make_app, read_queue
from worker.broker.bootsteps import Program
from worker.broker.publisher import Publisher
from worker.environment.service_manager import READY
from worker.process import runtime
from worker.process.broker_status import BrokerStatus
from worker.process.factories import StartError, open_database, require_schema
from worker.process.liveness import STAMP_SECONDS
from worker.process.memory import release_large_blocks
from worker.process.shared_queue import SHARED_QUEUE, own_queue
from worker.process.shutdown import Shutdown, ShutdownRequest
from worker.settings import Settings
from worker.store.installation import identify
from worker.telemetry import logs

CELERY: Final = "Celery"
"""Name of its thread, for the liveness check."""

log = structlog.get_logger("ttsq.worker")

_shutdowns: list[Shutdown] = []
"""The shutdown of this process, once it has a runtime."""


@lru_cache(maxsize=1)
def _worker_app() -> Celery:
    try:
        configuration = settings.current()
    except InvalidInputError as error:
        logs.exit_with("\n".join(["ttsq: invalid settings:", *(f"  {fault}" for fault in error.faults)]))
    app = make_app(configuration, SHARED_QUEUE)
    app.set_default()
    bootsteps.add_to(app, start=_start, ask=_ask, connected=_connected)
    bootsteps.quieten(lambda: current.runtime().broker)
    signals.setup_logging.connect(_configure_logs)
    signals.worker_init.connect(_build)
    signals.worker_shutdown.connect(_leave)
    return app


def _configure_logs(**_: object) -> None:
    logs.configure(settings.current())
    logging.getLogger("celery").setLevel(logging.WARNING)


def _build(sender: Program, **_: object) -> None:
    """Runs before anything is consumed: a worker that can't work must not start."""
    _configure_logs()
    configuration = _with_slots(settings.current(), sender.concurrency)
    if configuration.embedded:
        logs.exit_with("ttsq: TTSQ_BROKER_URL is memory://, which only reaches its own process; set it to redis://…")
    if os.geteuid() == 0:
        log.warning(
            "runs_as_root", remedy="run the worker as an unprivileged user that can write to its spool directory"
        )
    release_large_blocks()
    try:
        _build_runtime(configuration, sender)
    except StartError as error:
        logs.exit_with(f"ttsq: {error.message}; {error.remedy}", *configuration.secrets)
    except SQLAlchemyError as error:
        logs.exit_with(_no_database(error), *settings.current().secrets)
    _shutdowns.append(Shutdown(current.runtime(), grace_seconds=configuration.grace_seconds))


def _with_slots(configuration: Settings, concurrency: object) -> Settings:
    """The settings with Celery's `-c`, whose default is theirs."""
    if concurrency == configuration.concurrency:
        return configuration
    try:
        return settings.load(TTSQ_CONCURRENCY=concurrency)
    except InvalidInputError as error:
        logs.exit_with(f"ttsq: -c {concurrency}: {error.faults[0].message}")


def _build_runtime(configuration: Settings, program: Program) -> None:
    """Raises StartError and SQLAlchemyError."""
    database = open_database(configuration)
    require_schema(database)
    installation = identify(database)
    queue = own_queue(installation)
    if problem := bootsteps.unusable_option(program, (queue, SHARED_QUEUE)):
        logs.exit_with(f"ttsq: {problem}")
    read_queue(_worker_app(), queue)
    broker = BrokerStatus()
    publisher = Publisher(_worker_app(), queue, broker, installation=installation)
    parts = runtime.build(configuration, database, publisher, broker=broker, installation=installation)
    publisher.early_queue = parts.shared_queue.for_early_workers
    current.set_runtime(parts)


# Celery logs and ignores exceptions of signal receivers, except SystemExit. A worker without a runtime must exit: it
# would receive messages and drop them.


def _start() -> None:
    try:
        current.runtime().start()
    except SQLAlchemyError as error:
        logs.exit_with(_no_database(error), *settings.current().secrets)


def _connected(consumer: Any) -> None:  # noqa: ANN401 - its stubs are incomplete
    """Messages are received: at startup and after every reconnect."""
    parts = current.runtime()
    parts.broker.connected()
    parts.heartbeat.service_manager.notify(READY)
    parts.liveness.watch(CELERY, is_excused=lambda: parts.heartbeat.stopping or parts.broker.is_away())
    consumer.timer.call_repeatedly(STAMP_SECONDS, parts.liveness.stamp, (CELERY,))
    reading.read_shared_queue(consumer, parts.shared_queue, parts.installation)


def _no_database(error: SQLAlchemyError) -> str:
    return f"ttsq: the database can't be used ({str(error).splitlines()[0]}); see `ttsq doctor`"


def _ask(how: ShutdownRequest) -> None:
    """Called in a signal handler, between any two instructions of the main thread."""
    for shutdown in _shutdowns:
        shutdown.ask(how)


def _leave(sender: WorkController, **_: object) -> None:
    """Celery has exited. Start-up failures are reported by Celery itself."""
    failed_to_start = isinstance(sender.exitcode, str)
    for shutdown in _shutdowns if not failed_to_start else ():
        shutdown.complete(int(sender.exitcode or 0))


def __getattr__(name: str) -> Celery:
    """Create the application on first access, so that importing this module reads no settings."""
    if name in {"app", "celery"}:
        return _worker_app()
    raise AttributeError(name)
